//! Faults: stores that are down or hang, functions that die between two commits, repeated requests.

use std::time::{Duration, Instant};

use relay_events::handle;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    clients::tenant_databases::TenantDatabases,
    config::{Clusters, RedisConfig},
    worker::invoke,
};
use tests::{
    Answer,
    api::answer,
    proxy::{Held, Mode, Proxy},
};

use super::{
    stage::{ImpersonationStage, claims, denied, id, request, request_with},
    verifier::{relay, tick},
};

#[tokio::test]
async fn without_redis_no_impersonation_starts_but_ends_and_reads_work() {
    let real = <RedisConfig as shared::config::FromEnv>::from_env().unwrap();
    let (proxy, url) = Proxy::before(&real.url).await;
    let redis = RedisConfig { url, ca_file: None, timeout: Duration::from_millis(500) };
    let stage = ImpersonationStage::with(|_, mut parts| {
        parts.redis = redis;
        parts
    })
    .await;
    for mode in [Mode::Cut, Mode::Hang] {
        let (one, two) = (stage.tenant().await, stage.tenant().await);
        let (first, second) = (id(&stage.start(&one).await), id(&stage.start(&two).await));
        proxy.set(mode);

        let begun = Instant::now();
        let refused = stage.ask(&request(&stage.tenant().await)).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{mode:?}: {}", refused.text);
        assert!(!refused.header("retry-after").is_empty());
        assert_eq!(stage.get(&first).await["live"], true);
        assert_eq!(stage.api.get("/impersonations").await.status, StatusCode::OK);
        assert_eq!(stage.end(&first).await.status, StatusCode::NO_CONTENT, "{mode:?}");
        let suspended = stage.api.patch(&format!("/tenants/{}", two.id), &json!({ "status": "suspended" })).await;
        assert_eq!(suspended.status, StatusCode::OK, "{mode:?}: {}", suspended.text);
        assert!(begun.elapsed() < Duration::from_secs(8), "{mode:?}: {:?}", begun.elapsed());
        for sid in [&first, &second] {
            assert_eq!(stage.get(sid).await["live"], false);
            assert_eq!(denied(sid).await, None, "{mode:?}");
        }
        assert_eq!(stage.pending_denials().await, 2);

        proxy.set(Mode::Pass);
        let relay = relay(&stage.world, &stage.world.topic());
        // The relay leaves the denial to the request for a few seconds.
        stage.sql("UPDATE outbox SET available_at = now() WHERE destination = 'denial'").await;
        let report = invoke(&relay, handle, tick()).await.unwrap();
        assert_eq!(report["denials_written"], 2, "{mode:?}");
        for sid in [&first, &second] {
            assert!(denied(sid).await.is_some(), "{mode:?}");
        }
        assert_eq!(stage.pending_denials().await, 0);
    }
    let outcomes = stage.outcomes("impersonation.start").await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "failed").count(), 2);
}

/// A stage whose tenants' databases are behind a proxy.
async fn behind_a_proxy() -> (ImpersonationStage, Proxy) {
    let (proxy, url) = Proxy::before(&tests::variable("POSTGRES_API_URL").into()).await;
    let stage = ImpersonationStage::with(|world, mut parts| {
        let clusters = Clusters::single(url);
        parts.databases = TenantDatabases::connect(&clusters, &world.api()).unwrap();
        parts
    })
    .await;
    (stage, proxy)
}

#[tokio::test]
async fn while_a_tenants_database_is_down_its_impersonations_can_end_but_not_start() {
    let (stage, proxy) = behind_a_proxy().await;
    for mode in [Mode::Cut, Mode::Hang] {
        let tenant = stage.tenant().await;
        let sid = id(&stage.start(&tenant).await);
        proxy.set(mode);
        let begun = Instant::now();
        assert_eq!(stage.end(&sid).await.status, StatusCode::NO_CONTENT, "{mode:?}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{mode:?}: {:?}", begun.elapsed());
        assert_eq!(stage.get(&sid).await["live"], false);
        assert!(denied(&sid).await.is_some());
        assert!(!stage.record(&tenant, &sid).await.unwrap().4, "its database could not be reached");

        let before = stage.world.count("SELECT FROM impersonations").await;
        let refused = stage.ask(&request(&tenant)).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{mode:?}: {}", refused.text);
        assert!(!refused.header("retry-after").is_empty());
        assert_eq!(stage.world.count("SELECT FROM impersonations").await, before, "no intent was committed");
        proxy.set(Mode::Pass);
        settle(&stage).await;
        assert!(stage.record(&tenant, &sid).await.unwrap().4, "the relay records the end");
        stage.start(&tenant).await;
    }
}

#[tokio::test]
async fn an_impersonation_that_the_tenant_cannot_record_never_begins() {
    let (stage, proxy) = behind_a_proxy().await;
    let tenant = stage.tenant().await;
    // Connecting and finding the user work, writing the record hangs.
    proxy.hang_at("INSERT INTO impersonations", Held::Request);
    let refused = stage.ask(&request(&tenant)).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text);
    assert!(!refused.header("retry-after").is_empty());
    // It is unknown whether the record was written, until the change is settled.
    assert_eq!(stage.api.get("/impersonations").await.json[0]["end_reason"], "not_recorded");
    assert_eq!(stage.outcomes("impersonation.start").await, ["intended"]);
    proxy.set(Mode::Cut);
    proxy.set(Mode::Pass);
    settle(&stage).await;
    assert_not_begun(&stage, "not_recorded").await;

    // The tenant's database refuses the record.
    stage.inside(&tenant).await.batch_execute("REVOKE INSERT ON impersonations FROM landlord_api").await.unwrap();
    stage.sql("DELETE FROM impersonations; DELETE FROM audit").await;
    let refused = stage.ask(&request(&tenant)).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text);
    assert_not_begun(&stage, "not_recorded").await;
    stage.inside(&tenant).await.batch_execute("GRANT INSERT ON impersonations TO landlord_api").await.unwrap();
    stage.start(&tenant).await;
}

/// Settles the open changes, as a relay does.
async fn settle(stage: &ImpersonationStage) {
    stage.sql("UPDATE tenant_changes SET due_at = now()").await;
    let report = invoke(&relay(&stage.world, &stage.world.topic()), handle, tick()).await.unwrap();
    assert_eq!(report["changes_settled"], 1);
}

/// Expects one impersonation that has ended without an event, with an intent and a failure in the audit log.
async fn assert_not_begun(stage: &ImpersonationStage, reason: &str) {
    let list = stage.api.get("/impersonations").await.json;
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!([&list[0]["live"], &list[0]["recorded_at"]], [&json!(false), &Value::Null]);
    assert_eq!(list[0]["end_reason"], reason);
    let audit = stage.audit("impersonation.start").await;
    let outcomes: Vec<_> = audit.iter().map(|(outcome, names_intent, _)| (outcome.as_str(), *names_intent)).collect();
    assert_eq!(outcomes, [("intended", false), ("failed", true)]);
    assert_eq!(stage.events().await.len(), 0);
    assert_eq!(stage.pending_denials().await, 0);
}

#[tokio::test]
async fn an_impersonation_that_ends_between_record_and_confirmation_never_begins() {
    let (stage, proxy) = behind_a_proxy().await;
    let tenant = stage.tenant().await;
    proxy.hang_at("INSERT INTO impersonations", Held::Answer);
    let body = request(&tenant);
    let start = stage.ask(&body);
    let suspend = async {
        proxy.hung().await;
        let path = format!("/tenants/{}", tenant.id);
        assert_eq!(stage.api.patch(&path, &json!({ "status": "suspended" })).await.status, StatusCode::OK);
        proxy.set(Mode::Pass);
    };

    let (refused, ()) = tokio::join!(start, suspend);

    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert!(refused.text.contains("was ended before it began"), "{}", refused.text);
    assert_not_begun(&stage, "tenant_not_active").await;
    let sid = id(&stage.api.get("/impersonations").await.json[0]);
    assert!(stage.record(&tenant, &sid).await.unwrap().4, "the tenant's record shows the end");
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_token_while_the_impersonation_is_live_and_none_later() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    let ask = async |key: &str, body: &Value| -> Answer {
        answer(stage.api.request(Method::POST, "/impersonations").header("idempotency-key", key).json(body)).await
    };
    let first = ask("k-1", &request(&tenant)).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);

    let again = ask("k-1", &request(&tenant)).await;

    assert_eq!(again.status, StatusCode::CREATED, "{}", again.text);
    assert_eq!(again.json, first.json);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(stage.world.count("SELECT FROM impersonations").await, 1);
    assert_eq!(stage.outcomes("impersonation.repeat").await, ["done"]);
    let token = first.json["token"].as_str().unwrap();
    assert_eq!(stage.world.count(&format!("SELECT FROM idempotency_keys WHERE body LIKE '%{token}%'")).await, 0);
    assert_eq!(stage.world.count("SELECT FROM idempotency_keys WHERE body LIKE '%token%'").await, 0);

    let other = ask("k-1", &request_with(&tenant, |body| body["reason"] = json!("Another reason altogether"))).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    stage.end(&id(&first.json)).await;
    let late = ask("k-1", &request(&tenant)).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.text);
    assert!(late.json["detail"].as_str().unwrap().contains("ended"), "{}", late.text);
    let anew = ask("k-2", &request(&tenant)).await;
    assert_ne!(claims(anew.json["token"].as_str().unwrap())["sid"], claims(token)["sid"]);
}
