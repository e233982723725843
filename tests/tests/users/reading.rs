//! The audit entries of lists of users, which contain personal data.

use std::time::Instant;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::TestTenant;

use crate::stage::UsersStage;

/// The details of the audit entries of reads.
async fn reads(stage: &UsersStage, tenant: &TestTenant) -> Vec<Value> {
    let sql =
        "SELECT details FROM audit WHERE tenant_id = $1 AND action = 'user.list' AND outcome = 'done' ORDER BY id";
    stage.owner.query(sql, &[&tenant.id.0]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_list_of_users_is_in_the_audit_log_without_the_text_of_the_search() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    stage.list(&tenant, &[]).await;
    stage.list(&tenant, &[("search", "Sari W"), ("role", "admin"), ("is_online", "false"), ("limit", "5")]).await;
    stage.list(&tenant, &[("search", "nobody"), ("status", "active")]).await;
    let details = reads(&stage, &tenant).await;
    assert_eq!(
        details,
        [
            json!({"rows": 1, "filter": {}}),
            json!({"rows": 1, "filter": {"search": true, "role": ["admin"], "is_online": false}}),
            json!({"rows": 0, "filter": {"search": true, "status": "active"}}),
        ]
    );
    let row = stage.owner.query_one("SELECT actor, request_id, source_address FROM audit LIMIT 1", &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(2)), (tests::tokens::OWNER, Some("127.0.0.1")));
    assert!(row.get::<_, Option<String>>(1).is_some());
    let one = stage.api.get(&format!("/tenants/{}/users/{}", tenant.id, tenant.admin)).await;
    assert_eq!(one.status, StatusCode::OK, "{}", one.text);
    let sql = "SELECT details FROM audit WHERE action = 'user.read' AND outcome = 'done'";
    let entry: Value = stage.owner.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(entry, json!({ "user_id": tenant.admin }));
    // A request that reads nothing has no entry.
    assert_eq!(stage.ask(&tenant, &[("role", "king")]).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(reads(&stage, &tenant).await.len(), 3);
}

#[tokio::test]
async fn users_are_listed_while_the_audit_log_cannot_be_written() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    stage.sql("REVOKE INSERT ON audit FROM landlord_api").await;
    assert_eq!(stage.list(&tenant, &[]).await.len(), 1);
    stage.sql("GRANT INSERT ON audit TO landlord_api").await;
    // Another session holds the table, so that the entry cannot be written in time.
    let holder = stage.world.client().await;
    holder.batch_execute("BEGIN; LOCK TABLE audit IN EXCLUSIVE MODE").await.unwrap();
    let started = Instant::now();
    assert_eq!(stage.list(&tenant, &[]).await.len(), 1);
    let waited = started.elapsed();
    assert!(waited < stage.world.api().statement_timeout, "the request gave up before the database did: {waited:?}");
    holder.batch_execute("COMMIT").await.unwrap();
    stage.list(&tenant, &[]).await;
    assert!(!reads(&stage, &tenant).await.is_empty());
}
