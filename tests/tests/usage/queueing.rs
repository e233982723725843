//! Due tenants are sent to the queue: each once, the longest overdue first, and again when their message is lost.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use shared::{clients::postgres::Postgres, types::TenantId, usage::measuring::HOLD, usage::store::claim_due};
use tests::queues;

use crate::stage::{UsageStage, tick};

/// The tenants in the queue, message by message.
async fn queued(stage: &UsageStage) -> Vec<Vec<String>> {
    let read = |body: &String| {
        let body: Value = serde_json::from_str(body).unwrap();
        body["tenant_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    queues::drain(&stage.queue_url).await.iter().map(read).collect()
}

#[tokio::test]
async fn two_concurrent_runs_send_every_tenant_once() {
    let stage = UsageStage::new().await;
    stage.seed(1010).await;
    let (one, other) = tokio::join!(stage.function(), stage.function());
    let (one, other) = tokio::join!(tokio::spawn(tick(one)), tokio::spawn(tick(other)));
    let numbers = [one, other].map(|report| report.unwrap().unwrap()["tenants_queued"].as_u64().unwrap());
    assert_eq!(numbers.iter().sum::<u64>(), 1010, "{numbers:?}");
    let messages = queued(&stage).await;
    assert!(messages.iter().all(|message| (1..=25).contains(&message.len())));
    let all: BTreeSet<_> = messages.iter().flatten().cloned().collect();
    assert_eq!((all.len(), messages.iter().map(Vec::len).sum::<usize>()), (1010, 1010));
    assert_eq!(tick(stage.function().await).await.unwrap()["tenants_queued"], 0, "all are claimed");
    assert!(queued(&stage).await.is_empty());
}

#[tokio::test]
async fn concurrent_claims_share_no_tenant() {
    let stage = UsageStage::new().await;
    stage.seed(200).await;
    let pool = Postgres::connect(&shared::config::PostgresConfig { pool_size: 8, ..stage.world.api() }).unwrap();
    let claims = (0..8).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move { claim_due(&pool.get().await.unwrap(), 25, HOLD).await.unwrap() })
    });
    let claims = futures::future::join_all(claims).await;
    let taken: Vec<TenantId> = claims.into_iter().flat_map(|claim| claim.unwrap().tenant_ids).collect();
    assert_eq!(taken.len(), taken.iter().collect::<BTreeSet<_>>().len());
    assert!(taken.len() > 25, "more than one claim got tenants: {}", taken.len());
}

#[tokio::test]
async fn a_tenant_whose_message_was_lost_is_due_again() {
    let stage = UsageStage::new().await;
    stage.seed(30).await;
    let mut app = stage.function().await;
    app.queue_url = "http://127.0.0.1:9/queue/gone".to_owned();
    let failed = tick(app).await.unwrap_err();
    assert!(failed.to_string().contains("SQS"), "{failed}");
    assert_eq!(tick(stage.function().await).await.unwrap()["tenants_queued"], 0, "the tenants are held");
    let held = "SELECT FROM tenant_usage WHERE due_at BETWEEN now() + interval '9 min' AND now() + interval '10 min'";
    assert_eq!(stage.world.count(held).await, 30);
    stage.sql("UPDATE tenant_usage SET due_at = due_at - interval '10 min'").await;
    assert_eq!(tick(stage.function().await).await.unwrap()["tenants_queued"], 30);
    assert_eq!(queued(&stage).await.iter().map(Vec::len).sum::<usize>(), 30);
}

#[tokio::test]
async fn the_longest_overdue_tenants_come_first_and_those_without_databases_never() {
    let stage = UsageStage::new().await;
    stage.seed(60).await;
    stage
        .sql(
            "UPDATE tenants SET status = (ARRAY['active', 'suspended', 'provisioning', 'failed', 'deleting', 'deleted'])
                [1 + substring(slug FROM 3)::integer % 6];
             UPDATE tenant_usage u SET due_at = now() - substring(o.slug FROM 3)::integer * interval '1 min'
             FROM tenants o WHERE o.id = u.tenant_id;
             UPDATE tenant_usage u SET due_at = 'infinity' FROM tenants o
             WHERE o.id = u.tenant_id AND o.slug = 't-60'",
        )
        .await;
    assert_eq!(tick(stage.function().await).await.unwrap()["tenants_queued"], 19);
    let overdue: BTreeMap<String, i32> = stage
        .owner
        .query("SELECT id::text, substring(slug FROM 3)::integer FROM tenants", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let order: Vec<_> = queued(&stage).await.iter().flatten().map(|id| overdue[id]).collect();
    assert!(order.iter().all(|n| [0, 1].contains(&(n % 6))), "only active and suspended tenants: {order:?}");
    assert!(order.is_sorted_by(|a, b| a > b), "the longest overdue first: {order:?}");
    let when = async |status: &str, condition: &str| {
        let sql = format!(
            "SELECT FROM tenant_usage u JOIN tenants o ON o.id = u.tenant_id
             WHERE o.status = '{status}' AND ({condition})"
        );
        assert_eq!(stage.world.count(&sql).await, 10, "{status}");
    };
    when("deleted", "due_at = 'infinity'").await;
    when("provisioning", "due_at < now() + interval '1 min'").await;
    when("failed", "due_at > now() + interval '9 min'").await;
}
