//! The usage of each day is kept for a while, and shows when a limit will be reached.

use std::{sync::Arc, time::Duration};

use measure_usage::App;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::{
    config::MeasuringConfig,
    types::{Day, Month, TenantId},
    usage::{
        CollectionFigures, MeasuredPart, Measurement, MeasurementError, MeasurementIntervals, ObjectListing,
        RecordMeasurement, UserFigures, record_measurement, store::claim_measurement,
    },
};
use tests::{Answer, plans::plans};

use crate::stage::{UsageStage, measure, tick};

/// Measures a tenant, as some days ago. A store without figures fails.
async fn record(stage: &UsageStage, tenant: TenantId, days_ago: u64, agents: Option<i64>, contacts: Option<i64>) {
    let mut connection = stage.world.api_pool().get().await.unwrap();
    let claim = claim_measurement(&connection, tenant).await.unwrap().unwrap();
    let at = claim.at - Duration::from_hours(24 * days_ago);
    let users = agents.map(|active| UserFigures { active, online: 0, database_bytes: 100 });
    let collections = contacts.map(|contacts| CollectionFigures {
        contacts,
        month: Month::of(at),
        messages: 7,
        channels: vec![],
        database_bytes: 10,
    });
    let measurement = Measurement {
        at,
        users: users.map_or_else(failed, MeasuredPart::Measured),
        collections: collections.map_or_else(failed, MeasuredPart::Measured),
        objects: MeasuredPart::Measured(ObjectListing::default()),
    };
    let hour = Duration::from_hours(1);
    let intervals = MeasurementIntervals { active: hour, suspended: hour, retry: hour, objects: hour };
    let command = RecordMeasurement { claim: &claim, measurement: &measurement, intervals };
    record_measurement(&mut connection, &command).await.unwrap().unwrap();
}

fn failed<T>() -> MeasuredPart<T> {
    MeasuredPart::Failed { code: MeasurementError::Unexpected, wait: Duration::ZERO, counts: true }
}

async fn history(stage: &UsageStage, tenant: TenantId, query: &str) -> Answer {
    stage.api.get(&format!("/tenants/{tenant}/usage/history{query}")).await
}

fn day(days_ago: i64) -> String {
    Day::today().plus(-days_ago).to_string()
}

#[tokio::test]
async fn each_day_has_the_figures_of_its_last_measurement_and_none_of_a_store_that_failed() {
    let stage = UsageStage::new().await;
    stage.seed(1).await;
    let tenant = stage.id("t-1").await;
    record(&stage, tenant, 3, Some(1), Some(20)).await;
    record(&stage, tenant, 2, Some(2), None).await;
    record(&stage, tenant, 1, None, Some(30)).await;
    record(&stage, tenant, 1, Some(4), None).await;
    record(&stage, tenant, 0, Some(5), Some(50)).await;
    record(&stage, tenant, 0, Some(6), Some(40)).await;
    let answer = history(&stage, tenant, "").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let days = answer.json["days"].as_array().unwrap();
    let figures: Vec<_> = days.iter().map(|one| json!([one["day"], one["agents"], one["contacts"]])).collect();
    let expected = [
        json!([day(3), 1, 20]),
        json!([day(2), 2, null]),
        // Of two measurements that each missed a store.
        json!([day(1), 4, 30]),
        json!([day(0), 6, 40]),
    ];
    assert_eq!(figures, expected);
    assert_eq!([&answer.json["since"], &answer.json["until"]], [&json!(day(29)), &json!(day(0))]);
    assert_eq!((&days[3]["storage_bytes"], &days[3]["messages_month"]), (&json!(110), &json!(7)));
    assert!(days[3]["measured_at"].as_str().unwrap().starts_with(&day(0)));
    // The current figures are as before.
    assert_eq!(stage.usage(tenant).await["agents"], 6);
}

#[tokio::test]
async fn the_measurement_of_a_real_tenant_is_the_figure_of_today() {
    let stage = UsageStage::new().await;
    let tenant = stage.provision("kopi-kenangan").await;
    measure(&Arc::new(stage.function().await), &[tenant.id]).await;
    let answer = history(&stage, tenant.id, "").await;
    let usage = stage.usage(tenant.id).await;
    let days = answer.json["days"].as_array().unwrap();
    assert_eq!(days.len(), 1, "{}", answer.text);
    for figure in ["agents", "contacts", "messages_month", "storage_bytes"] {
        assert_eq!(days[0][figure], usage[figure], "{figure}");
    }
    assert_eq!(answer.json["forecast"], json!({"agents": null, "contacts": null, "messages_month": null}));
}

#[tokio::test]
async fn a_range_is_answered_as_it_is_and_a_bad_one_is_refused() {
    let stage = UsageStage::new().await;
    stage.seed(1).await;
    let tenant = stage.id("t-1").await;
    let rows = "INSERT INTO usage_days (tenant_id, day, agents, measured_at)
                SELECT id, DATE '2026-01-01' + n, n, now() FROM tenants, generate_series(0, 600) AS n";
    stage.sql(rows).await;
    for (query, first, last, count) in [
        ("?since=2026-02-01&until=2026-02-28", 31, 58, 28),
        ("?since=2026-02-28&until=2026-02-28", 58, 58, 1),
        ("?until=2026-01-30", 0, 29, 30),
        ("?since=2026-01-01&until=2027-02-04", 0, 399, 400),
    ] {
        let answer = history(&stage, tenant, query).await;
        let days = answer.json["days"].as_array().unwrap_or_else(|| panic!("{query}: {}", answer.text));
        let agents = |day: &Value| day["agents"].as_i64().unwrap();
        assert_eq!((agents(&days[0]), agents(&days[days.len() - 1]), days.len()), (first, last, count), "{query}");
        assert!(days.iter().map(agents).is_sorted(), "{query}");
    }
    for (query, faults) in [
        ("?since=2026-02-02&until=2026-02-01", vec!["since"]),
        ("?since=2026-01-01&until=2027-02-05", vec!["since"]),
        ("?since=2999-01-01", vec!["since"]),
        ("?since=2026-02-30&until=today", vec!["since", "until"]),
        ("?since=2026-01-01T00:00:00Z", vec!["since"]),
        ("?since=2026-01-01&since=2026-01-02", vec!["since"]),
        ("?days=30", vec!["days"]),
    ] {
        let refused = history(&stage, tenant, query).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}: {}", refused.text);
        assert_eq!(refused.faults(), faults, "{query}");
    }
    assert_eq!(history(&stage, TenantId::generate(), "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(stage.api.get("/tenants/kopi/usage/history").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_forecast_is_the_line_that_postgresql_fits_through_the_last_thirty_days() {
    let stage = UsageStage::new().await;
    stage.seed(1).await;
    let tenant = stage.id("t-1").await;
    stage
        .sql(
            "UPDATE tenants SET max_agents = 40, max_contacts = 100000;
             INSERT INTO usage_days (tenant_id, day, agents, contacts, measured_at)
             SELECT id, (now() AT TIME ZONE 'UTC')::date - n, 30 - n / 3 + n % 3, 50000 + 5 * n, now()
             FROM tenants, generate_series(0, 60) AS n WHERE n % 7 <> 4",
        )
        .await;
    let fitted = "SELECT count(*), regr_slope(agents, day - today), regr_intercept(agents, day - today),
                         today + ceil((40 - regr_intercept(agents, day - today)) / regr_slope(agents, day - today))::integer
                  FROM usage_days, LATERAL (SELECT (now() AT TIME ZONE 'UTC')::date) AS x (today)
                  WHERE day > today - 30 GROUP BY today";
    let row = stage.owner.query_one(fitted, &[]).await.unwrap();
    let forecast = history(&stage, tenant, "").await.json["forecast"].take();
    let agents = &forecast["agents"];
    assert_eq!(
        (&agents["limit"], &agents["value"], &agents["days"]),
        (&json!(40), &json!(30), &json!(row.get::<_, i64>(0)))
    );
    assert!((agents["per_day"].as_f64().unwrap() - row.get::<_, f64>(1)).abs() < 0.005, "{agents} {row:?}");
    assert_eq!(agents["reached_on"], Day(row.get(3)).to_string(), "{row:?}");
    let contacts = &forecast["contacts"];
    assert_eq!((&contacts["per_day"], &contacts["reached_on"]), (&json!(-5.0), &Value::Null));
    // Without a limit there is nothing to reach, and a limit that is reached is reached today.
    stage.sql("UPDATE tenants SET max_agents = 30, max_contacts = NULL").await;
    let forecast = history(&stage, tenant, "?since=2026-01-01&until=2026-01-02").await.json["forecast"].take();
    assert_eq!((&forecast["agents"]["reached_on"], &forecast["contacts"]), (&json!(day(0)), &Value::Null));
}

#[tokio::test]
async fn old_days_are_removed_and_a_history_is_read_from_the_key() {
    let stage = UsageStage::new().await;
    stage.seed(300).await;
    stage
        .sql(
            "INSERT INTO usage_days (tenant_id, day, measured_at)
             SELECT id, (now() AT TIME ZONE 'UTC')::date - n, now() FROM tenants, generate_series(0, 49) AS n",
        )
        .await;
    let app = async || App {
        config: MeasuringConfig { kept_days: 31, ..MeasuringConfig::default() },
        ..stage.function().await
    };
    // 300 tenants with 18 days, in two runs.
    assert_eq!(tick(app().await).await.unwrap()["days_forgotten"], 5000);
    assert_eq!(tick(app().await).await.unwrap()["days_forgotten"], 400);
    assert_eq!(tick(app().await).await.unwrap()["days_forgotten"], 0);
    let kept = "SELECT FROM usage_days GROUP BY tenant_id HAVING count(*) = 32 AND min(day) = (now() AT TIME ZONE 'UTC')::date - 31";
    assert_eq!(stage.world.count(kept).await, 300);
    stage.owner.batch_execute("VACUUM ANALYZE usage_days").await.unwrap();
    let connection = stage.world.api_pool().get().await.unwrap();
    let tenant = stage.id("t-1").await;
    shared::usage::store::list_days(&connection, tenant, Day::today().plus(-9), Day::today()).await.unwrap();
    let values = [format!("'{tenant}'"), format!("'{}'", day(9)), format!("'{}'", day(0))];
    for plan in plans(&connection, "FROM usage_days", &values.each_ref().map(String::as_str)).await {
        assert!(plan.contains("usage_days_pkey") && !plan.contains("Seq Scan"), "{plan}");
    }
}
