//! What an operator may do is what it is at the moment of the request.

use reqwest::StatusCode;
use serde_json::json;
use shared::types::SuperAdminRole::{Operator, Owner, Viewer};
use tests::{Api, World, api::answer, tokens};

use crate::SignedIn;

#[tokio::test]
async fn disabling_an_operator_holds_at_once_and_enabling_them_brings_no_session_back() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let operator = SignedIn::with(&world, &api, Operator).await;
    let id = api.create_tenant("kopi-kenangan").await["id"].as_str().unwrap().to_owned();
    // One that is read together with the operator, and one that is not there.
    let (one, none) = (format!("/tenants/{id}"), format!("/impersonations/{id}"));
    assert_eq!(operator.get("/tenants").await.status, StatusCode::OK);
    assert_eq!(operator.get(&one).await.status, StatusCode::OK);
    assert_eq!(operator.get(&none).await.status, StatusCode::NOT_FOUND);
    let path = format!("/admins/{}", operator.id);
    let disabled = api.patch(&path, &json!({"status": "disabled"})).await;
    assert_eq!(disabled.status, StatusCode::OK, "{}", disabled.text);
    assert_eq!(disabled.json["status"], "disabled");
    for route in ["/tenants", "/tenants/usage", "/health", "/audit", "/admins", &one, &none] {
        let refused = operator.get(route).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{route}: {}", refused.text);
        assert_eq!(refused.json["detail"], "The operator is disabled", "{route}");
    }
    assert_eq!(api.patch(&path, &json!({"status": "active"})).await.status, StatusCode::OK);
    let refused = operator.get("/tenants").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
    assert_eq!(refused.json["detail"], "The session has ended; sign in again");
}

#[tokio::test]
async fn another_role_holds_at_once() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let operator = SignedIn::with(&world, &api, Viewer).await;
    let body = tests::api::tenant_request("kopi-kenangan");
    assert_eq!(operator.post("/tenants", &body).await.status, StatusCode::FORBIDDEN);
    let path = format!("/admins/{}", operator.id);
    assert_eq!(api.patch(&path, &json!({"role": "operator"})).await.status, StatusCode::OK);
    assert_eq!(operator.post("/tenants", &body).await.status, StatusCode::CREATED);
    assert_eq!(operator.patch(&path, &json!({"role": "owner"})).await.status, StatusCode::FORBIDDEN);
    assert_eq!(api.patch(&path, &json!({"role": "viewer"})).await.status, StatusCode::OK);
    let refused = operator.post("/tenants", &tests::api::tenant_request("second")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.json["detail"], "This needs the role operator");
}

#[tokio::test]
async fn a_token_of_nobody_and_one_of_another_epoch_are_refused() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let owner = SignedIn::with(&world, &api, Owner).await;
    let with = |change: fn(&mut serde_json::Value)| {
        let mut claims = tokens::claims(&owner.id.to_string());
        change(&mut claims);
        tokens::sign(&claims)
    };
    for (what, token) in [
        ("nobody", with(|claims| claims["sub"] = json!(tokens::NOBODY))),
        ("no id", with(|claims| claims["sub"] = json!("someone"))),
        ("a later epoch", with(|claims| claims["epoch"] = json!(1))),
        ("an odd epoch", with(|claims| claims["epoch"] = json!("0"))),
        ("a huge epoch", with(|claims| claims["epoch"] = json!(u64::MAX))),
    ] {
        for path in ["/tenants", &format!("/tenants/{}", tokens::NOBODY)] {
            let refused = answer(api.anonymous(reqwest::Method::GET, path).bearer_auth(&token)).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{what}, {path}: {}", refused.text);
        }
    }
    let good = with(|claims| claims["epoch"] = json!(0));
    assert_eq!(answer(api.anonymous(reqwest::Method::GET, "/tenants").bearer_auth(good)).await.status, StatusCode::OK);
}
