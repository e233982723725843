//! Erasures of users whose process dies between two commits, and erasures of users with changes that were left open.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{TestTenant, mentions::tables_with};
use uuid::Uuid;

use crate::stage::{HeldLock, Stage, send, until_row, user_path};

/// The address of the user of the fixture begins with it.
const WORD: &str = "budi";

fn erasure(tenant: &TestTenant, user: Uuid) -> (String, Value) {
    (format!("/tenants/{}/users/{user}/erase", tenant.id), json!({ "reason": "Request 2026-114 of the person" }))
}

/// Erases a user in a process that is killed after the commit in the tenant's database, and before the next one.
async fn cut_off_erasure(stage: &Stage, tenant: &TestTenant, user: Uuid) {
    let process = stage.process().await;
    let lock = HeldLock::on_tenant(stage, tenant).await;
    let (path, body) = erasure(tenant, user);
    send(process.api.request(Method::POST, &path).json(&body));
    let committed = format!("SELECT FROM users WHERE id = '{user}' AND erased_at IS NOT NULL");
    until_row(&stage.inside(tenant).await, &committed).await;
    process.kill();
    lock.release().await;
}

/// Checks that an erasure has reached all stores and is recorded once.
async fn assert_erased(stage: &Stage, tenant: &TestTenant) {
    assert_eq!(stage.outcomes(tenant, "user.erase").await, ["intended", "done"]);
    assert_eq!(stage.open_changes().await, 0);
    assert_eq!(tables_with(&stage.owner, WORD).await.len(), 0);
    assert_eq!(tables_with(&stage.inside(tenant).await, WORD).await.len(), 0);
    assert_eq!(stage.world.count("SELECT FROM erased_users").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_whose_process_is_killed_between_the_commits_is_settled() {
    let stage = Stage::new().await;
    let (tenant, user) = stage.tenant().await;
    let impersonation = stage.impersonation(&tenant, user).await;
    cut_off_erasure(&stage, &tenant, user).await;
    let left: Vec<_> = tables_with(&stage.owner, WORD).await.into_iter().collect();
    assert_eq!(left, ["audit", "impersonations", "tenant_changes"], "what is to be found is in the open change");
    assert!(stage.is_live(&impersonation).await);

    assert_eq!(stage.settle().await["changes_settled"], 1);

    assert_erased(&stage, &tenant).await;
    assert!(!stage.is_live(&impersonation).await);
    assert!(stage.is_denied(&impersonation).await);
    let expected = ["impersonation.started", "user.deactivated", "user.erased", "impersonation.ended"];
    assert_eq!(stage.event_types(&tenant), expected);
    assert_eq!(stage.same_requests("user.erase").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_finishes_an_erasure_that_was_cut_off() {
    let stage = Stage::new().await;
    let (tenant, user) = stage.tenant().await;
    let impersonation = stage.impersonation(&tenant, user).await;
    cut_off_erasure(&stage, &tenant, user).await;
    let (path, body) = erasure(&tenant, user);
    let repeated = stage.api.post(&path, &body).await;
    assert_eq!(repeated.status, StatusCode::OK, "{}", repeated.text);
    assert_erased(&stage, &tenant).await;
    assert!(!stage.is_live(&impersonation).await);
    assert!(stage.is_denied(&impersonation).await);
    assert_eq!(stage.settle().await["changes_settled"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_whose_process_is_killed_before_the_tenants_commit_has_failed_and_erases_nothing() {
    let stage = Stage::new().await;
    let (tenant, user) = stage.tenant().await;
    let impersonation = stage.impersonation(&tenant, user).await;
    let process = stage.process().await;
    let lock = HeldLock::on_users(&stage, &tenant).await;
    let (path, body) = erasure(&tenant, user);
    send(process.api.request(Method::POST, &path).json(&body));
    until_row(&stage.owner, "SELECT FROM tenant_changes WHERE kind = 'user.erase'").await;
    process.kill();
    lock.release().await;

    assert_eq!(stage.settle().await["changes_settled"], 1);

    assert_eq!(stage.outcomes(&tenant, "user.erase").await, ["intended", "failed"]);
    assert_eq!(stage.world.count("SELECT FROM erased_users").await, 0);
    assert_eq!(stage.open_changes().await, 0);
    let left: Vec<_> = tables_with(&stage.owner, WORD).await.into_iter().collect();
    assert_eq!(left, ["audit", "impersonations"]);
    assert!(stage.is_live(&impersonation).await);
    assert_eq!(stage.api.get(&user_path(&tenant, user)).await.json["email"], "budi@kopi.example");
    // The user can still be erased.
    let erased = stage.api.post(&path, &body).await;
    assert_eq!(erased.status, StatusCode::OK, "{}", erased.text);
    assert_eq!(tables_with(&stage.owner, WORD).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_the_user_that_were_left_open_are_settled_before_the_erasure() {
    let stage = Stage::new().await;
    let (tenant, user) = stage.tenant().await;
    // One that was made, and one that was not.
    let process = stage.process().await;
    let lock = HeldLock::on_tenant(&stage, &tenant).await;
    send(process.api.request(Method::PATCH, &user_path(&tenant, user)).json(&json!({ "full_name": "Budi Made" })));
    let inside = stage.inside(&tenant).await;
    until_row(&inside, "SELECT FROM users WHERE full_name = 'Budi Made'").await;
    process.kill();
    lock.release().await;
    let process = stage.process().await;
    let lock = HeldLock::on_users(&stage, &tenant).await;
    send(process.api.request(Method::PATCH, &user_path(&tenant, user)).json(&json!({ "full_name": "Budi Not" })));
    until_row(&stage.owner, "SELECT FROM tenant_changes HAVING count(*) = 2").await;
    process.kill();
    lock.release().await;

    let (path, body) = erasure(&tenant, user);
    let erased = stage.api.post(&path, &body).await;
    assert_eq!(erased.status, StatusCode::OK, "{}", erased.text);

    assert_erased(&stage, &tenant).await;
    let mut outcomes = stage.outcomes(&tenant, "user.update").await;
    outcomes.sort();
    assert_eq!(outcomes, ["done", "failed", "intended", "intended"]);
    assert_eq!(stage.settle().await["changes_settled"], 0);
    assert_eq!(stage.event_types(&tenant), ["user.updated", "user.deactivated", "user.erased"]);
}
