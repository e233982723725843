//! Requests that freeze, tenants' databases that are down, and concurrent settlements.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;
use shared::{
    clients::tenant_databases::TenantDatabases,
    config::{Cluster, Clusters},
    tenant_changes::{self, DueChange},
};
use tests::{
    api::Parts,
    proxy::{Held, Mode, Proxy},
    variable,
};

use crate::stage::{HeldLock, Stage, ask, send, tick, until_row, user_path};

/// A stage whose API reaches tenants' databases through a proxy. Its relays do not.
async fn behind_a_proxy() -> (Stage, Proxy) {
    let (proxy, url) = Proxy::before(&variable("POSTGRES_API_URL").into()).await;
    let stage = Stage::with(|world, parts| Parts {
        databases: TenantDatabases::connect(&Clusters::single(url), &world.api()).unwrap(),
        ..parts
    })
    .await;
    (stage, proxy)
}

/// The open changes, leased as by a relay.
async fn leased(stage: &Stage) -> Vec<DueChange> {
    stage.make_due().await;
    tenant_changes::store::lease_due(&stage.world.api_pool().get().await.unwrap(), 100).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_request_that_wakes_up_after_the_settlement_cannot_commit() {
    let (stage, proxy) = behind_a_proxy().await;
    let (tenant, user) = stage.tenant().await;
    // The transaction has made the change, and is about to insert its marker.
    proxy.hang_at("INSERT INTO changes", Held::Request);
    let late = ask(stage.api.request(Method::PATCH, &user_path(&tenant, user)).json(&json!({ "full_name": "Late" })));
    proxy.hung().await;

    let (platform, databases) = (stage.world.api_pool(), stage.world.tenant_databases());
    for change in leased(&stage).await {
        tenant_changes::settle(&platform, &databases, &change).await.unwrap();
    }
    proxy.set(Mode::Pass);

    let late = late.await.unwrap();
    assert_eq!(late.status, StatusCode::SERVICE_UNAVAILABLE, "{}", late.text);
    assert!(late.text.contains("could not be completed in time"), "{}", late.text);
    until_row(&stage.inside(&tenant).await, &format!("SELECT FROM users WHERE id = '{user}' AND full_name = 'Budi'"))
        .await;
    assert_eq!(stage.outcomes(&tenant, "user.update").await, ["intended", "failed"]);
    assert_eq!((stage.open_changes().await, stage.settle().await["events_sent"].as_u64()), (0, Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_start_that_wakes_up_after_the_settlement_records_nothing() {
    let (stage, proxy) = behind_a_proxy().await;
    let (tenant, user) = stage.tenant().await;
    proxy.hang_at("INSERT INTO changes", Held::Request);
    let body = crate::stage::impersonation_request(&tenant, user);
    let late = ask(stage.api.request(Method::POST, "/impersonations").json(&body));
    proxy.hung().await;

    let (platform, databases) = (stage.world.api_pool(), stage.world.tenant_databases());
    for change in leased(&stage).await {
        tenant_changes::settle(&platform, &databases, &change).await.unwrap();
    }
    proxy.set(Mode::Pass);

    let late = late.await.unwrap();
    assert_eq!(late.status, StatusCode::SERVICE_UNAVAILABLE, "{}", late.text);
    assert!(late.text.contains("could not be completed in time"), "{}", late.text);
    assert!(stage.inside(&tenant).await.query("SELECT FROM impersonations", &[]).await.unwrap().is_empty());
    assert_eq!(stage.outcomes(&tenant, "impersonation.start").await, ["intended", "failed"]);
    assert_eq!(stage.open_changes().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_waits_for_a_transaction_that_is_about_to_commit() {
    let (stage, proxy) = behind_a_proxy().await;
    let (tenant, user) = stage.tenant().await;
    proxy.hang_at("COMMIT", Held::Request);
    let request = stage.api.request(Method::PATCH, &user_path(&tenant, user));
    let slow = ask(request.json(&json!({ "status": "deactivated" })));
    proxy.hung().await;

    let (platform, databases) = (stage.world.api_pool(), stage.world.tenant_databases());
    let due = leased(&stage).await;
    let begun = Instant::now();
    let (settled, ()) = tokio::join!(tenant_changes::settle(&platform, &databases, &due[0]), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        proxy.set(Mode::Pass);
    });
    settled.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());

    // The request also tried to write the outcome.
    let slow = slow.await.unwrap();
    assert_eq!((slow.status, &slow.json["status"]), (StatusCode::OK, &json!("deactivated")), "{}", slow.text);
    assert_eq!(stage.settle().await["changes_settled"], 0);
    assert_eq!(stage.event_types(&tenant), ["user.deactivated"]);
    assert_eq!(stage.outcomes(&tenant, "user.update").await, ["intended", "done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_database_is_down_is_settled_later_and_delays_no_other() {
    let stage = Stage::new().await;
    let ((down, user), (other, others_user)) = (stage.tenant().await, stage.tenant().await);
    stage.cut_off_deactivation(&down, user).await;
    stage.cut_off_deactivation(&other, others_user).await;
    let sql = "UPDATE tenants SET postgres_cluster = 'far' WHERE id = $1";
    stage.owner.execute(sql, &[&down.id.0]).await.unwrap();
    let (proxy, url) = Proxy::before(&variable("POSTGRES_API_URL").into()).await;
    let mut clusters = Clusters::single(stage.world.api().url);
    clusters.0.push(Cluster { name: "far".to_owned(), url, ..clusters.0[0].clone() });
    let relay = stage.relay_with(TenantDatabases::connect(&clusters, &stage.world.api()).unwrap());

    proxy.set(Mode::Hang);
    stage.make_due().await;
    let report = tick(&relay).await;
    assert_eq!([&report["changes_settled"], &report["changes_deferred"]], [1, 1]);
    assert_eq!(stage.event_types(&other), ["user.deactivated"], "in the same run");
    assert_eq!(stage.open_changes().await, 1);
    // It is not due until some time has passed, which grows with the attempts.
    let wait = "SELECT extract(epoch FROM due_at - now())::integer FROM tenant_changes";
    let first: i32 = stage.owner.query_one(wait, &[]).await.unwrap().get(0);
    proxy.set(Mode::Cut);
    stage.make_due().await;
    assert_eq!(tick(&relay).await["changes_deferred"], 1);
    let second: i32 = stage.owner.query_one(wait, &[]).await.unwrap().get(0);
    assert!((1..=15).contains(&first) && (20..=30).contains(&second), "{first} s, {second} s");
    assert_eq!(tick(&relay).await["changes_deferred"], 0);

    proxy.set(Mode::Pass);
    stage.make_due().await;
    assert_eq!(tick(&relay).await["changes_settled"], 1);
    assert_eq!(stage.event_types(&down), ["user.deactivated"]);
    assert_eq!((stage.open_changes().await, stage.outcomes(&down, "user.update").await.len()), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_relays_settle_each_change_exactly_once() {
    const CHANGES: usize = 4;
    let stage = Stage::new().await;
    let (tenant, _) = stage.tenant().await;
    let process = stage.process().await;
    let lock = HeldLock::on_tenant(&stage, &tenant).await;
    // As many as the process has connections.
    for number in 0..CHANGES {
        let body = json!({
            "tenant_id": tenant.id, "email": format!("user-{number}@kopi.example"), "full_name": "Siti",
            "role": "agent", "password": "tidal-mango-orbit-42",
        });
        send(process.api.request(Method::POST, "/users").json(&body));
    }
    until_row(&stage.inside(&tenant).await, "SELECT FROM users HAVING count(*) = 6").await;
    process.kill();
    lock.release().await;

    // Every change by four relays that all have it, and by four that share the work.
    let (platform, databases) = (stage.world.api_pool(), stage.world.tenant_databases());
    let due = leased(&stage).await;
    assert_eq!(due.len(), CHANGES);
    let (platform, databases) = (&platform, &databases);
    let same =
        due[..2].iter().flat_map(|change| (0..4).map(move |_| tenant_changes::settle(platform, databases, change)));
    for settled in join_all(same).await {
        settled.unwrap();
    }
    stage.make_due().await;
    let relays: Vec<_> = (0..4).map(|_| stage.relay()).collect();
    let reports = join_all(relays.iter().map(tick)).await;
    let settled: u64 = reports.iter().map(|report| report["changes_settled"].as_u64().unwrap()).sum();
    assert_eq!(settled, 2);

    tick(&relays[0]).await;
    assert_eq!(stage.event_types(&tenant), ["user.created"; CHANGES]);
    let outcomes = stage.outcomes(&tenant, "user.create").await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "done").count(), CHANGES);
    assert_eq!((outcomes.len(), stage.open_changes().await), (2 * CHANGES, 0));
}
