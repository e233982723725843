//! A second after an impersonation has ended, its token is refused by services that follow the events and by services that ask
//! Redis.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::types::SuperAdminRole;
use tests::{
    TestTenant,
    api::{OPEN, Parts, all_routes, answer},
    until,
};

use super::{
    stage::{ImpersonationStage, id, request},
    verifier::{Relaying, Verifier, relay},
};

/// The longest delay until every service refuses the token.
const SOON: Duration = Duration::from_secs(1);

async fn started(stage: &ImpersonationStage, verifier: &Verifier, tenant: &TestTenant) -> (String, String) {
    let started = stage.start(tenant).await;
    let (sid, token) = (id(&started), started["token"].as_str().unwrap().to_owned());
    until("the event of the start", Duration::from_secs(30), async || verifier.has_started(&sid)).await;
    assert!(verifier.accepts(&token) && verifier.accepts_by_redis(&token).await);
    (sid, token)
}

/// Expects that both kinds of service refuse the token within a second of `begun`.
async fn refused_soon(what: &str, verifier: &Verifier, token: &str, begun: Instant) {
    until(what, SOON, async || !verifier.accepts_by_redis(token).await).await;
    until(what, SOON.saturating_sub(begun.elapsed()), async || !verifier.accepts(token)).await;
    println!("{what}: refused by events {:?} after the response", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_after_an_end_a_suspension_or_a_disabled_super_admin_the_token_is_refused() {
    let stage = ImpersonationStage::new().await;
    let kafka = stage.world.topic();
    let verifier = Verifier::follow(&stage.api, &kafka).await;
    let relaying = Relaying::start(&stage.world, relay(&stage.world, &kafka));
    let tenant = stage.tenant().await;

    let (sid, token) = started(&stage, &verifier, &tenant).await;
    assert_eq!(stage.end(&sid).await.status, StatusCode::NO_CONTENT);
    refused_soon("DELETE", &verifier, &token, Instant::now()).await;

    let (_, token) = started(&stage, &verifier, &tenant).await;
    let path = format!("/tenants/{}", tenant.id);
    assert_eq!(stage.api.patch(&path, &json!({ "status": "suspended" })).await.status, StatusCode::OK);
    refused_soon("suspension", &verifier, &token, Instant::now()).await;
    assert_eq!(stage.api.patch(&path, &json!({ "status": "active" })).await.status, StatusCode::OK);
    assert!(!verifier.accepts(&token), "an end is final");

    let (super_admin, bearer) = stage.super_admin(SuperAdminRole::Operator).await;
    let answer = stage.ask_as(&bearer, &request(&tenant)).await;
    let token = answer.json["token"].as_str().unwrap().to_owned();
    let sid = id(&answer.json);
    until("the event of the start", Duration::from_secs(30), async || verifier.has_started(&sid)).await;
    assert_eq!(stage.disable(super_admin).await.status, StatusCode::OK);
    refused_soon("a disabled super-admin", &verifier, &token, Instant::now()).await;
    drop(relaying);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_this_api_refuses_the_token_of_an_impersonation() {
    let stage = ImpersonationStage::new().await;
    let tenant = stage.tenant().await;
    let mut body = request(&tenant);
    body["access"] = json!("write");
    let started = stage.ask(&body).await.json;
    let token = started["token"].as_str().unwrap();
    let parts = Parts::of(&stage.world);
    let mut walked = 0;
    for (method, path) in all_routes(&parts) {
        if OPEN.contains(&(method.as_str(), path.as_str())) {
            continue;
        }
        walked += 1;
        let path = path.trim_start_matches("/api/super-admin").replace("{id}", &tenant.id.to_string());
        let refused = answer(stage.api.anonymous(method.clone(), &path).bearer_auth(token)).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{method} {path}: {}", refused.text);
        let problem: &Value = &refused.json["type"];
        assert_eq!(*problem, "/api/super-admin/problems/unauthenticated");
    }
    assert!(walked >= 15, "only {walked} routes were found");
}
