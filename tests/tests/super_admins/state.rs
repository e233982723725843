//! Each request is authorized by the super-admin's state at that moment.

use reqwest::StatusCode;
use serde_json::json;
use shared::types::SuperAdminRole::{Operator, Owner, Viewer};
use tests::{Api, World, api::answer, tokens};

use crate::SignedIn;

#[tokio::test]
async fn disabling_a_super_admin_has_an_immediate_effect_and_enabling_restores_no_session() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let super_admin = SignedIn::with(&world, &api, Operator).await;
    let id = api.create_tenant("kopi-kenangan").await["id"].as_str().unwrap().to_owned();
    // The first row exists and is read together with the super-admin's state. The second does not exist.
    let (existing, missing) = (format!("/tenants/{id}"), format!("/impersonations/{id}"));
    assert_eq!(super_admin.get("/tenants").await.status, StatusCode::OK);
    assert_eq!(super_admin.get(&existing).await.status, StatusCode::OK);
    assert_eq!(super_admin.get(&missing).await.status, StatusCode::NOT_FOUND);
    let path = format!("/admins/{}", super_admin.id);
    let disabled = api.patch(&path, &json!({"status": "disabled"})).await;
    assert_eq!(disabled.status, StatusCode::OK, "{}", disabled.text);
    assert_eq!(disabled.json["status"], "disabled");
    for route in ["/tenants", "/tenants/usage", "/health", "/audit", "/admins", &existing, &missing] {
        let refused = super_admin.get(route).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{route}: {}", refused.text);
        assert_eq!(refused.json["detail"], "The super-admin is disabled", "{route}");
    }
    assert_eq!(api.patch(&path, &json!({"status": "active"})).await.status, StatusCode::OK);
    let refused = super_admin.get("/tenants").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
    assert_eq!(refused.json["detail"], "The session has ended; sign in again");
}

#[tokio::test]
async fn a_new_role_has_an_immediate_effect() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let super_admin = SignedIn::with(&world, &api, Viewer).await;
    let body = tests::api::tenant_request("kopi-kenangan");
    assert_eq!(super_admin.post("/tenants", &body).await.status, StatusCode::FORBIDDEN);
    let path = format!("/admins/{}", super_admin.id);
    assert_eq!(api.patch(&path, &json!({"role": "operator"})).await.status, StatusCode::OK);
    assert_eq!(super_admin.post("/tenants", &body).await.status, StatusCode::CREATED);
    assert_eq!(super_admin.patch(&path, &json!({"role": "owner"})).await.status, StatusCode::FORBIDDEN);
    assert_eq!(api.patch(&path, &json!({"role": "viewer"})).await.status, StatusCode::OK);
    let refused = super_admin.post("/tenants", &tests::api::tenant_request("second")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.json["detail"], "This needs the role operator");
}

#[tokio::test]
async fn tokens_of_unknown_super_admins_and_other_epochs_are_refused() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let owner = SignedIn::with(&world, &api, Owner).await;
    let with = |change: fn(&mut serde_json::Value)| {
        let mut claims = tokens::claims(&owner.id.to_string());
        change(&mut claims);
        tokens::sign(&claims)
    };
    for (what, token) in [
        ("an unknown id", with(|claims| claims["sub"] = json!(tokens::UNKNOWN))),
        ("not an id", with(|claims| claims["sub"] = json!("someone"))),
        ("a later epoch", with(|claims| claims["epoch"] = json!(1))),
        ("an epoch that is a string", with(|claims| claims["epoch"] = json!("0"))),
        ("a huge epoch", with(|claims| claims["epoch"] = json!(u64::MAX))),
    ] {
        for path in ["/tenants", &format!("/tenants/{}", tokens::UNKNOWN)] {
            let refused = answer(api.anonymous(reqwest::Method::GET, path).bearer_auth(&token)).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{what}, {path}: {}", refused.text);
        }
    }
    let good = with(|claims| claims["epoch"] = json!(0));
    assert_eq!(answer(api.anonymous(reqwest::Method::GET, "/tenants").bearer_auth(good)).await.status, StatusCode::OK);
}
