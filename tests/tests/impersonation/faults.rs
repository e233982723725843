//! Bad days: stores that are down or hang, functions that die in the middle, requests that come again.

use std::time::{Duration, Instant};

use relay_events::handle;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    clients::tenant_databases::TenantDatabases,
    config::{Clusters, RedisConfig},
    impersonations,
    types::Actor,
    worker::invoke,
};
use tests::{
    Answer,
    api::answer,
    proxy::{Held, Mode, Proxy},
};

use super::{
    stage::{Stage, claims, denied, id, request, request_with},
    verifier::{relay, tick, topic},
};

#[tokio::test]
async fn without_redis_nothing_starts_and_everything_that_ends_or_reads_goes_on() {
    let real = <RedisConfig as shared::config::FromEnv>::from_env().unwrap();
    let (proxy, url) = Proxy::before(&real.url).await;
    let redis = RedisConfig { url, timeout: Duration::from_millis(500) };
    let stage = Stage::with(|_, mut parts| {
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
        assert_eq!(stage.denials_owed().await, 2);

        proxy.set(Mode::Pass);
        let relay = relay(&stage.world, &topic());
        // The request has its head start.
        stage.sql("UPDATE outbox SET available_at = now() WHERE destination = 'denial'").await;
        let report = invoke(&relay, handle, tick()).await.unwrap();
        assert_eq!(report["denials_written"], 2, "{mode:?}");
        for sid in [&first, &second] {
            assert!(denied(sid).await.is_some(), "{mode:?}");
        }
        assert_eq!(stage.denials_owed().await, 0);
    }
    let outcomes = stage.outcomes("impersonation.start").await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "failed").count(), 2);
}

/// A stage whose functions reach tenants' databases through a proxy.
async fn behind_a_proxy() -> (Stage, Proxy) {
    let (proxy, url) = Proxy::before(&tests::variable("POSTGRES_API_URL").into()).await;
    let stage = Stage::with(|world, mut parts| {
        let clusters = Clusters::single(url);
        parts.databases = TenantDatabases::connect(&clusters, &world.api()).unwrap();
        parts
    })
    .await;
    (stage, proxy)
}

#[tokio::test]
async fn a_tenant_whose_database_is_down_keeps_no_impersonation_alive_and_gets_none() {
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
        assert!(!stage.record(&tenant, &sid).await.unwrap().4, "it could not be told");

        let before = stage.world.count("SELECT FROM impersonations").await;
        let refused = stage.ask(&request(&tenant)).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{mode:?}: {}", refused.text);
        assert!(!refused.header("retry-after").is_empty());
        assert_eq!(stage.world.count("SELECT FROM impersonations").await, before, "nothing was begun");
        proxy.set(Mode::Pass);
        stage.start(&tenant).await;
    }
}

#[tokio::test]
async fn what_the_tenant_cannot_record_never_begins() {
    let (stage, proxy) = behind_a_proxy().await;
    let tenant = stage.tenant().await;
    // The connection and the user's look-up work, the record hangs.
    proxy.hang_at("INSERT INTO impersonations", Held::Request);
    let refused = stage.ask(&request(&tenant)).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text);
    assert!(!refused.header("retry-after").is_empty());
    assert_not_begun(&stage, "not_recorded").await;
    proxy.set(Mode::Cut);
    proxy.set(Mode::Pass);

    // One that the tenant's database refuses.
    stage.inside(&tenant).await.batch_execute("REVOKE INSERT ON impersonations FROM landlord_api").await.unwrap();
    stage.sql("DELETE FROM impersonations; DELETE FROM audit").await;
    let refused = stage.ask(&request(&tenant)).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text);
    assert_not_begun(&stage, "not_recorded").await;
    stage.inside(&tenant).await.batch_execute("GRANT INSERT ON impersonations TO landlord_api").await.unwrap();
    stage.start(&tenant).await;
}

/// There is one impersonation, which is over and was never told, and the audit log tells the intent and the failure.
async fn assert_not_begun(stage: &Stage, reason: &str) {
    let list = stage.api.get("/impersonations").await.json;
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!([&list[0]["live"], &list[0]["recorded_at"]], [&json!(false), &Value::Null]);
    assert_eq!(list[0]["end_reason"], reason);
    let audit = stage.audit("impersonation.start").await;
    let outcomes: Vec<_> = audit.iter().map(|(outcome, names_intent, _)| (outcome.as_str(), *names_intent)).collect();
    assert_eq!(outcomes, [("intended", false), ("failed", true)]);
    assert_eq!(stage.events().await.len(), 0);
    assert_eq!(stage.denials_owed().await, 0);
}

#[tokio::test]
async fn a_start_that_was_cut_off_is_seen_is_never_live_and_is_in_nobodys_way_for_long() {
    let stage = Stage::new().await;
    let tenant = stage.tenant().await;
    // As a function leaves it that dies after its first commit.
    let sid = id(&stage.start(&tenant).await);
    stage.sql("UPDATE impersonations SET recorded_at = NULL; DELETE FROM audit WHERE outcome = 'done'").await;

    let seen = stage.get(&sid).await;
    assert_eq!([&seen["live"], &seen["recorded_at"], &seen["end_reason"]], [&json!(false), &Value::Null, &Value::Null]);
    assert_eq!(stage.outcomes("impersonation.start").await, ["intended"], "an intent without an outcome");
    let refused = stage.ask(&request(&tenant)).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "it may be on its way");
    stage.sql("UPDATE impersonations SET started_at = now() - interval '31 seconds'").await;
    stage.start(&tenant).await;
    assert_eq!(stage.get(&sid).await["end_reason"], "not_recorded");
}

#[tokio::test]
async fn what_ends_between_its_record_and_its_confirmation_never_begins() {
    let stage = Stage::new().await;
    let tenant = stage.tenant().await;
    let sid = id(&stage.start(&tenant).await);
    stage.sql("UPDATE impersonations SET recorded_at = NULL; DELETE FROM outbox; DELETE FROM audit").await;
    let path = format!("/tenants/{}", tenant.id);
    assert_eq!(stage.api.patch(&path, &json!({ "status": "suspended" })).await.status, StatusCode::OK);
    assert_eq!(stage.events().await.len(), 0, "nobody knew of it");
    assert_eq!(stage.get(&sid).await["end_reason"], "tenant_not_active");

    let mut platform = stage.world.api_pool().get().await.unwrap();
    let impersonation = impersonations::store::find(&platform, sid.parse().unwrap()).await.unwrap();
    let begun = impersonations::store::Begun { impersonation, intent_id: uuid::Uuid::now_v7() };
    let transaction = platform.transaction().await.unwrap();
    let refused = impersonations::store::confirm(&transaction, &begun, Actor::SYSTEM).await.unwrap_err();
    assert!(refused.to_string().contains("was ended before it began"), "{refused}");
}

#[tokio::test]
async fn a_request_that_comes_again_gets_the_same_token_while_it_is_live_and_none_later() {
    let stage = Stage::new().await;
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
