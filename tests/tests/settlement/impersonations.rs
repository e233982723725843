//! Processes that are killed (`SIGKILL`) between two commits of an impersonation.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::types::SuperAdminRole;
use tests::{TestTenant, api::answer, tokens};
use uuid::Uuid;

use crate::stage::{ApiProcess, HeldLock, Stage, impersonation_request, send, tick, until_row};

const BEGUN: &str = "SELECT FROM tenant_changes WHERE kind = 'impersonation.start'";

/// Requests an impersonation, which waits before it writes the tenant's record.
async fn waiting_start(stage: &Stage, tenant: &TestTenant, user: Uuid) -> (ApiProcess, HeldLock) {
    let process = stage.process().await;
    let lock = HeldLock::on_user(stage, tenant, user).await;
    let request = process.api.request(Method::POST, "/impersonations").header("idempotency-key", "key-1");
    send(request.json(&impersonation_request(tenant, user)));
    until_row(&stage.owner, BEGUN).await;
    (process, lock)
}

/// A start whose process was killed between the commit in the tenant's database and the one in the platform's.
async fn start_killed_after_the_record(stage: &Stage) -> (TestTenant, Uuid) {
    let (tenant, user) = stage.tenant().await;
    let (process, on_user) = waiting_start(stage, &tenant, user).await;
    let on_tenant = HeldLock::on_tenant(stage, &tenant).await;
    on_user.release().await;
    until_row(&stage.inside(&tenant).await, "SELECT FROM impersonations").await;
    process.kill();
    on_tenant.release().await;
    (tenant, user)
}

async fn only_one(stage: &Stage) -> Value {
    let list = stage.api.get("/impersonations").await.json;
    assert_eq!(list.as_array().unwrap().len(), 1);
    list[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_whose_process_is_killed_after_the_record_becomes_live_and_its_repetition_gets_the_token() {
    let stage = Stage::new().await;
    let (tenant, user) = start_killed_after_the_record(&stage).await;
    assert_eq!(only_one(&stage).await["live"], false);

    assert_eq!(stage.settle().await["changes_settled"], 1);

    let live = only_one(&stage).await;
    assert_eq!((&live["live"], live["recorded_at"].is_string()), (&true.into(), true));
    assert_eq!(stage.event_types(&tenant), ["impersonation.started"]);
    assert_eq!(stage.outcomes(&tenant, "impersonation.start").await, ["intended", "done"]);
    let repeated = stage.api.request(Method::POST, "/impersonations").header("idempotency-key", "key-1");
    let repeated = answer(repeated.json(&impersonation_request(&tenant, user))).await;
    assert_eq!(repeated.status, StatusCode::CREATED, "{}", repeated.text);
    assert_eq!((&repeated.json["id"], repeated.json["token"].is_string()), (&live["id"], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_whose_process_is_killed_before_the_record_never_begins() {
    let stage = Stage::new().await;
    let (tenant, user) = stage.tenant().await;
    let (process, on_user) = waiting_start(&stage, &tenant, user).await;
    let inside = stage.inside(&tenant).await;
    let waiting = "EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
                           WHERE NOT granted AND datname = current_database())";
    until_row(&inside, &format!("SELECT WHERE {waiting}")).await;
    process.kill();
    let refused = stage.api.post("/impersonations", &impersonation_request(&tenant, user)).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "the first start may still be running: {}", refused.text);

    assert_eq!(stage.settle().await["changes_settled"], 1);
    // PostgreSQL still executes the statement of the dead process. The void marker stops it.
    on_user.release().await;
    until_row(&inside, &format!("SELECT WHERE NOT {waiting}")).await;

    let ended = only_one(&stage).await;
    assert_eq!([&ended["live"], &ended["end_reason"]], [&Value::from(false), &Value::from("not_recorded")]);
    assert_eq!(stage.event_types(&tenant), [""; 0]);
    let audit = stage.audit(&tenant, "impersonation.start").await;
    let outcomes: Vec<_> = audit.iter().map(|(outcome, _)| outcome.as_str()).collect();
    assert_eq!(outcomes, ["intended", "refused", "failed"]);
    assert_eq!(audit[2].1["end_reason"], "not_recorded");
    assert!(inside.query("SELECT FROM impersonations", &[]).await.unwrap().is_empty());
    // Another one can start.
    stage.impersonation(&tenant, user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_was_ended_before_it_was_settled_never_begins_and_the_record_shows_the_end() {
    let stage = Stage::new().await;
    let (tenant, _) = start_killed_after_the_record(&stage).await;
    let id = only_one(&stage).await["id"].as_str().unwrap().to_owned();
    let ended = answer(stage.api.request(Method::DELETE, &format!("/impersonations/{id}"))).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT, "{}", ended.text);

    assert_eq!(stage.settle().await["changes_settled"], 1);

    assert!(!stage.is_live(&id).await);
    assert_eq!(stage.event_types(&tenant), [""; 0]);
    assert_eq!(stage.outcomes(&tenant, "impersonation.start").await, ["intended", "failed"]);
    until_row(&stage.inside(&tenant).await, "SELECT FROM impersonations WHERE ended_at IS NOT NULL").await;
    assert_eq!(stage.open_changes().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_whose_process_is_killed_before_the_record_is_recorded_by_the_relay() {
    let stage = Stage::new().await;
    let (tenant, user) = stage.tenant().await;
    let id = stage.impersonation(&tenant, user).await;
    let process = stage.process().await;
    let inside = stage.inside(&tenant).await;
    let lock = HeldLock::take(stage.inside(&tenant).await, "SELECT FROM impersonations FOR UPDATE").await;
    send(process.api.request(Method::DELETE, &format!("/impersonations/{id}")));
    until_row(&stage.owner, "SELECT FROM impersonations WHERE ended_at IS NOT NULL").await;
    process.kill();
    lock.release().await;
    assert_eq!(stage.open_changes().await, 1);

    assert_eq!(stage.settle().await["changes_settled"], 1);

    let sql = "SELECT ended_at FROM impersonations";
    let ended: Option<time::OffsetDateTime> = inside.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(ended, stage.owner.query_one(sql, &[]).await.unwrap().get(0));
    assert_eq!(stage.open_changes().await, 0);
    assert_eq!(stage.event_types(&tenant), ["impersonation.started", "impersonation.ended"]);
}

/// Whether the tenant's own record shows the end of its only impersonation.
async fn shows_the_end(stage: &Stage, tenant: &TestTenant) -> bool {
    let sql = "SELECT ended_at IS NOT NULL FROM impersonations";
    stage.inside(tenant).await.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_of_the_tenant_reaches_its_own_record() {
    let stage = Stage::new().await;
    let (tenant, user) = stage.tenant().await;
    stage.impersonation(&tenant, user).await;
    let path = format!("/tenants/{}", tenant.id);
    let suspended = stage.api.patch(&path, &json!({ "status": "suspended" })).await;
    assert_eq!(suspended.status, StatusCode::OK, "{}", suspended.text);

    tick(&stage.relay()).await;

    assert!(shows_the_end(&stage, &tenant).await);
    assert_eq!(stage.open_changes().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_super_admins_impersonations_reaches_the_records_of_all_tenants() {
    let stage = Stage::new().await;
    let [(first, user), (second, other)] = [stage.tenant().await, stage.tenant().await];
    let operator = stage.world.operator(SuperAdminRole::Operator).await;
    let token = tokens::sign(&tokens::claims(&operator.to_string()));
    for (tenant, user) in [(&first, user), (&second, other)] {
        let request = stage.api.anonymous(Method::POST, "/impersonations").bearer_auth(&token);
        let started = answer(request.json(&impersonation_request(tenant, user))).await;
        assert_eq!(started.status, StatusCode::CREATED, "{}", started.text);
    }
    let disabled = stage.api.patch(&format!("/admins/{operator}"), &json!({ "status": "disabled" })).await;
    assert_eq!(disabled.status, StatusCode::OK, "{}", disabled.text);

    let settled = tick(&stage.relay()).await;

    assert_eq!(settled["changes_settled"], 2);
    assert!(shows_the_end(&stage, &first).await && shows_the_end(&stage, &second).await);
    assert_eq!(stage.event_types(&first), ["impersonation.started", "impersonation.ended"]);
}
