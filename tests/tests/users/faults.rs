//! A tenant's database that is missing or hangs affects only that tenant.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;
use shared::{
    clients::tenant_databases::TenantDatabases,
    config::{Cluster, Clusters, PostgresConfig},
};
use tests::{
    Answer, Api, TestTenant,
    api::{Parts, answer},
    proxy::{Held, Mode, Proxy},
    variable,
};

use crate::stage::{UsersStage, assert_unavailable, request as user};

/// The longest that a request may take when a server hangs.
const IN_TIME: Duration = Duration::from_secs(7);

/// A stage whose cluster `far` is behind a proxy.
async fn far_stage() -> (UsersStage, Proxy) {
    let (proxy, far) = Proxy::before(&variable("POSTGRES_API_URL").into()).await;
    let stage = UsersStage::with(|parts| {
        // The timeout of a deployment; other tests use a longer one.
        let config = PostgresConfig { connect_timeout: Duration::from_secs(2), ..parts.health.postgres.clone() };
        let mut clusters = Clusters::single(config.url.clone());
        clusters.0.push(Cluster { name: "far".to_owned(), url: far, ..clusters.0[0].clone() });
        Parts { databases: TenantDatabases::connect(&clusters, &config).unwrap(), ..parts }
    })
    .await;
    (stage, proxy)
}

async fn move_far(stage: &UsersStage, tenant: &TestTenant) {
    let sql = "UPDATE tenants SET postgres_cluster = 'far' WHERE id = $1";
    stage.owner.execute(sql, &[&tenant.id.0]).await.unwrap();
}

async fn timed(request: impl Future<Output = Answer>) -> (Answer, Duration) {
    let begun = Instant::now();
    let answer = request.await;
    (answer, begun.elapsed())
}

#[tokio::test]
async fn a_missing_database_is_503_for_its_tenant_only() {
    let stage = UsersStage::new().await;
    let (gone, other) = (stage.tenant(None).await, stage.tenant(None).await);
    // With an open connection, and without one.
    stage.list(&gone, &[]).await;
    for api in [&stage.api, &Api::of(&stage.world).await] {
        stage.drop_database(&gone).await;
        let list = api.get(&format!("/users?tenant_id={}", gone.id)).await;
        assert_unavailable(&list);
        assert!(list.text.contains("The tenant's database is temporarily unavailable"), "{}", list.text);
        assert_unavailable(&api.post("/users", &user(&gone, "budi@kopi.example")).await);
        let path = format!("/users/{}?tenant_id={}", gone.admin, gone.id);
        assert_unavailable(&api.patch(&path, &json!({"full_name": "Sari"})).await);
        assert_eq!(api.get(&format!("/users?tenant_id={}", other.id)).await.status, StatusCode::OK);
        assert_eq!(api.get("/tenants").await.status, StatusCode::OK);
    }
    // The audit log records that nothing was changed.
    assert_eq!(stage.outcomes(&gone).await, ["intended", "failed", "intended", "failed"]);
}

#[tokio::test]
async fn a_cluster_that_is_not_configured_is_503_for_its_tenants_only() {
    let stage = UsersStage::new().await;
    let (lost, other) = (stage.tenant(None).await, stage.tenant(None).await);
    let sql = "UPDATE tenants SET postgres_cluster = 'nowhere' WHERE id = $1";
    stage.owner.execute(sql, &[&lost.id.0]).await.unwrap();
    assert_unavailable(&stage.ask(&lost, &[]).await);
    assert_eq!(stage.list(&other, &[]).await.len(), 1);
}

#[tokio::test]
async fn a_hanging_server_is_503_in_time_and_does_not_delay_tenants_of_another_server() {
    let (stage, proxy) = far_stage().await;
    let (warm, cold, other) = (stage.tenant(None).await, stage.tenant(None).await, stage.tenant(None).await);
    for tenant in [&warm, &cold] {
        move_far(&stage, tenant).await;
    }
    for round in 0..2 {
        stage.list(&warm, &[]).await;
        proxy.set(Mode::Hang);
        let begun = Instant::now();
        let others = async {
            for _ in 0..5 {
                assert_eq!(stage.ask(&other, &[]).await.status, StatusCode::OK);
            }
            begun.elapsed()
        };
        let body = user(&warm, "budi@kopi.example");
        let (list, first, add, others) = tokio::join!(
            timed(stage.ask(&warm, &[])),
            timed(stage.ask(&cold, &[])),
            timed(stage.api.post("/users", &body)),
            others
        );
        for (answer, took) in [list, first, add] {
            assert_unavailable(&answer);
            assert!(took < IN_TIME, "round {round}: it took {took:?}");
            assert!(others < took, "the other tenant waited as long: {others:?} and {took:?}");
        }
        proxy.set(Mode::Pass);
        assert_eq!(stage.list(&warm, &[]).await.len(), 1);
        // A tenant without a connection may have to wait until earlier attempts to connect have failed.
        assert_eq!(stage.list(&cold, &[]).await.len(), 1);
    }
}

#[tokio::test]
async fn a_table_that_is_locked_is_503_in_time() {
    let stage = UsersStage::new().await;
    let (locked, other) = (stage.tenant(None).await, stage.tenant(None).await);
    let holder = stage.inside(&locked).await;
    holder.batch_execute("SET idle_in_transaction_session_timeout = 0; BEGIN; LOCK TABLE users").await.unwrap();
    let (answer, took) = timed(stage.ask(&locked, &[])).await;
    assert_unavailable(&answer);
    assert!(took < IN_TIME, "it took {took:?}");
    assert_eq!(stage.list(&other, &[]).await.len(), 1);
    holder.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(stage.list(&locked, &[]).await.len(), 1);
}

#[tokio::test]
async fn a_connection_that_was_cut_while_idle_is_replaced() {
    let (stage, proxy) = far_stage().await;
    let tenant = stage.tenant(None).await;
    move_far(&stage, &tenant).await;
    stage.list(&tenant, &[]).await;
    proxy.set(Mode::Cut);
    tokio::time::sleep(Duration::from_millis(100)).await;
    proxy.set(Mode::Pass);
    assert_eq!(stage.list(&tenant, &[]).await.len(), 1);
}

#[tokio::test]
async fn a_commit_whose_response_is_lost_leaves_an_intent_without_an_outcome() {
    let (stage, proxy) = far_stage().await;
    let tenant = stage.tenant(None).await;
    move_far(&stage, &tenant).await;
    stage.list(&tenant, &[]).await;
    proxy.hang_at("COMMIT", Held::Answer);
    let (added, took) = timed(stage.add(&tenant, "budi@kopi.example")).await;
    assert_unavailable(&added);
    assert!(took < IN_TIME, "it took {took:?}");
    // The commit succeeded, so no outcome claims that it failed.
    assert_eq!(stage.count(&tenant, "SELECT FROM users WHERE email = 'budi@kopi.example'").await, 1);
    assert_eq!(stage.outcomes(&tenant).await, ["intended"]);
    proxy.set(Mode::Pass);
    assert_eq!(stage.add(&tenant, "budi@kopi.example").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_request_cut_off_after_its_commit_is_finished_by_its_repetition() {
    let (stage, proxy) = far_stage().await;
    let tenant = stage.tenant(Some(2)).await;
    move_far(&stage, &tenant).await;
    stage.list(&tenant, &[]).await;
    let add = async |email: &str| {
        let request = stage.api.request(Method::POST, "/users").header("idempotency-key", "key-1");
        answer(request.json(&user(&tenant, email))).await
    };
    proxy.hang_at("COMMIT", Held::Answer);
    assert_unavailable(&add("budi@kopi.example").await);
    assert_eq!(stage.outcomes(&tenant).await, ["intended"]);
    proxy.set(Mode::Pass);
    // Another body is another request, and no seat is free.
    assert_eq!(add("siti@kopi.example").await.status, StatusCode::CONFLICT);
    let finished = add("budi@kopi.example").await;
    assert_eq!(
        (finished.status, finished.header("idempotent-replayed")),
        (StatusCode::CREATED, ""),
        "{}",
        finished.text
    );
    assert_eq!(stage.list(&tenant, &[]).await[0], finished.json);
    assert_eq!(stage.outcomes(&tenant).await, ["intended", "intended", "failed", "done"]);
    assert_eq!(stage.event_types(&tenant).await, ["user.created"]);
    let again = add("budi@kopi.example").await;
    assert_eq!((again.header("idempotent-replayed"), &again.text), ("true", &finished.text));
}

#[tokio::test]
async fn a_request_cut_off_before_its_commit_changes_nothing() {
    let (stage, proxy) = far_stage().await;
    let tenant = stage.tenant(None).await;
    move_far(&stage, &tenant).await;
    stage.list(&tenant, &[]).await;
    proxy.hang_at("INSERT INTO users", Held::Request);
    let (added, took) = timed(stage.add(&tenant, "budi@kopi.example")).await;
    assert_unavailable(&added);
    assert!(took < IN_TIME, "it took {took:?}");
    proxy.set(Mode::Cut);
    assert_eq!(stage.count(&tenant, "SELECT FROM users WHERE email = 'budi@kopi.example'").await, 0);
    assert_eq!(stage.outcomes(&tenant).await, ["intended", "failed"]);
    proxy.set(Mode::Pass);
    assert_eq!(stage.add(&tenant, "budi@kopi.example").await.status, StatusCode::CREATED);
}
