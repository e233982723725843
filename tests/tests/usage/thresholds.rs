//! Reaching 80 and 100 percent of a limit causes one event each per month, even with repeated and concurrent runs.

use std::sync::Arc;

use mongodb::bson::{DateTime, doc};
use serde_json::{Value, json};
use shared::types::{Month, TenantId};
use tests::platform::mongo;

use crate::stage::{UsageStage, about, deliver, id, insert, measure, set_counter, tick};

/// Figure and percent of each event, sorted.
fn summarize(events: &[Value]) -> Vec<(String, i64)> {
    let mut summary: Vec<_> = events
        .iter()
        .map(|event| (event["figure"].as_str().unwrap().to_owned(), event["percent"].as_i64().unwrap()))
        .collect();
    summary.sort();
    summary
}

async fn set_limits(stage: &UsageStage, tenant: TenantId, agents: i64, contacts: i64, messages: i64) {
    stage
        .sql(&format!(
            "UPDATE tenants SET max_agents = {agents}, max_contacts = {contacts}, max_messages_month = {messages}
             WHERE id = '{tenant}'"
        ))
        .await;
}

#[tokio::test]
async fn each_threshold_of_a_measured_figure_causes_one_event_despite_concurrent_redelivery() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    let contact = |n: i32| {
        let now = DateTime::now();
        doc! { "_id": id(), "name": format!("Contact {n}"), "identities": [], "created_at": now, "updated_at": now }
    };
    let mongo = mongo().await;
    insert(&mongo, &tenant, "contacts", (0..8).map(contact).collect()).await;
    set_limits(&stage, tenant.id, 1, 10, 0).await;
    let app = Arc::new(stage.function().await);
    let other = Arc::new(stage.function().await);
    let deliveries = (0..6).map(|n| {
        let app = Arc::clone(if n % 2 == 0 { &app } else { &other });
        let body = about(&[tenant.id]);
        async move { deliver(&app, &[body.clone(), body]).await }
    });
    for failures in futures::future::join_all(deliveries).await {
        assert!(failures.is_empty());
    }
    let events = stage.threshold_events().await;
    assert_eq!(
        summarize(&events),
        [("agents".to_owned(), 80), ("agents".to_owned(), 100), ("contacts".to_owned(), 80)]
    );
    let of_contacts = events.iter().find(|event| event["figure"] == "contacts").unwrap();
    let month = Month::current().to_string();
    assert_eq!(
        *of_contacts,
        json!({
            "tenant_id": tenant.id, "figure": "contacts", "percent": 80, "value": 8, "limit": 10, "month": month,
            "on_limit": "notify", "limit_id": null,
        })
    );
    insert(&mongo, &tenant, "contacts", (8..10).map(contact).collect()).await;
    measure(&app, &[tenant.id]).await;
    measure(&app, &[tenant.id]).await;
    assert_eq!(stage.threshold_events().await.len(), 4, "100 percent causes one more event");
    // In the next month, all thresholds are announced again.
    stage.sql("UPDATE usage_thresholds SET month = month - interval '1 month'").await;
    measure(&app, &[tenant.id]).await;
    assert_eq!(stage.threshold_events().await.len(), 8);
}

#[tokio::test]
async fn thresholds_of_counted_messages_cause_one_event_despite_concurrent_runs_and_measurements() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    set_limits(&stage, tenant.id, 100, 100, 10).await;
    set_counter(tenant.id, Month::current(), "7").await;
    tick(stage.function().await).await.unwrap();
    assert!(stage.threshold_events().await.is_empty(), "7 of 10 is below the first threshold");
    set_counter(tenant.id, Month::current(), "12").await;
    let app = Arc::new(stage.function().await);
    let runs = futures::future::join_all((0..4).map(async |_| tick(stage.function().await).await.unwrap()));
    let measurements = futures::future::join_all((0..4).map(async |_| measure(&app, &[tenant.id]).await));
    tokio::join!(runs, measurements);
    tick(stage.function().await).await.unwrap();
    let events = stage.threshold_events().await;
    assert_eq!(summarize(&events), [("messages_month".to_owned(), 80), ("messages_month".to_owned(), 100)]);
    assert!(events.iter().all(|event| event["value"] == 12 && event["limit"] == 10), "{events:?}");
}

#[tokio::test]
async fn a_measurement_checks_thresholds_with_the_counter_when_that_is_larger() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    set_limits(&stage, tenant.id, 100, 100, 1000).await;
    set_counter(tenant.id, Month::current(), "900").await;
    tick(stage.function().await).await.unwrap();
    assert_eq!(summarize(&stage.threshold_events().await), [("messages_month".to_owned(), 80)]);
    // The next measurement applies a lowered limit, even if nothing was counted since.
    set_limits(&stage, tenant.id, 100, 100, 900).await;
    measure(&Arc::new(stage.function().await), &[tenant.id]).await;
    assert_eq!(summarize(&stage.threshold_events().await).last(), Some(&("messages_month".to_owned(), 100)));
}

#[tokio::test]
async fn thresholds_of_past_months_are_deleted() {
    let stage = UsageStage::new().await;
    stage.seed(1).await;
    let tenant = stage.id("t-1").await;
    for months in 0..4 {
        stage
            .sql(&format!(
                "INSERT INTO usage_thresholds (tenant_id, month, figure, percent)
                 VALUES ('{tenant}', DATE '{}' - interval '{months} months', 'agents', 80)",
                Month::current().first_day()
            ))
            .await;
    }
    assert_eq!(tick(stage.function().await).await.unwrap()["thresholds_forgotten"], 2);
    assert_eq!(stage.world.count("SELECT FROM usage_thresholds").await, 2);
}
