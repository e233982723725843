//! A password that somebody else has set is temporary.

use reqwest::{Method, StatusCode};
use serde_json::json;
use shared::types::SuperAdminRole::Operator;
use tests::{Answer, Api, World, api::answer};

use crate::SignedIn;

const TEMPORARY: &str = "tidal-mango-orbit-42";
const OWN: &str = "violet harbour lantern moss";

async fn sign_in(api: &Api, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    let answer = answer(api.anonymous(Method::POST, "/auth/login").json(&body)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer
}

/// Checks that the session of `signed_in` may only change the password, and changes it.
async fn replace(api: &Api, email: &str, signed_in: &Answer) {
    assert_eq!(signed_in.json["must_change_password"], true, "{}", signed_in.text);
    let token = signed_in.json["access_token"].as_str().unwrap();
    let missing = "0190a0c4-8f6e-7c3a-9d2b-5e1f00c0dead";
    // The last two read the state of the caller together with the row.
    for path in [
        "/tenants",
        "/health",
        "/admins",
        "/audit",
        &format!("/tenants/{missing}"),
        &format!("/impersonations/{missing}"),
    ] {
        let refused = answer(api.anonymous(Method::GET, path).bearer_auth(token)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}: {}", refused.text);
        assert_eq!(refused.json["type"], "/api/super-admin/problems/password-change-required", "{path}");
        assert!(refused.json["detail"].as_str().unwrap().contains("POST /auth/change-password"), "{}", refused.text);
    }
    let change = async |new: &str| {
        let body = json!({"current_password": TEMPORARY, "new_password": new});
        answer(api.anonymous(Method::POST, "/auth/change-password").bearer_auth(token).json(&body)).await
    };
    let same = change(TEMPORARY).await;
    assert_eq!((same.status, same.faults()), (StatusCode::UNPROCESSABLE_ENTITY, vec!["/new_password".to_owned()]));
    let changed = change(OWN).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!(changed.json["must_change_password"], false);
    let token = changed.json["access_token"].as_str().unwrap();
    assert_eq!(answer(api.anonymous(Method::GET, "/tenants").bearer_auth(token)).await.status, StatusCode::OK);
    assert_eq!(sign_in(api, email, OWN).await.json["must_change_password"], false);
}

#[tokio::test]
async fn the_first_password_of_a_new_super_admin_is_temporary() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let email = format!("ada-{}@landlord.example", uuid::Uuid::now_v7().simple());
    let created = api.post("/admins", &json!({"email": email, "role": "viewer", "password": TEMPORARY})).await;
    assert_eq!((created.status, &created.json["must_change_password"]), (StatusCode::CREATED, &json!(true)));
    let signed_in = sign_in(&api, &email, TEMPORARY).await;
    replace(&api, &email, &signed_in).await;
    let listed = api.get("/admins?role=viewer").await;
    assert_eq!(listed.json[0]["must_change_password"], false, "{}", listed.text);
}

#[tokio::test]
async fn a_password_that_an_owner_sets_for_another_super_admin_is_temporary() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let super_admin = SignedIn::with(&world, &api, Operator).await;
    let row =
        world.client().await.query_one("SELECT email FROM super_admins WHERE id = $1", &[&super_admin.id.0]).await;
    let email: String = row.unwrap().get(0);
    let set = api.patch(&format!("/admins/{}", super_admin.id), &json!({"password": TEMPORARY})).await;
    assert_eq!((set.status, &set.json["must_change_password"]), (StatusCode::OK, &json!(true)), "{}", set.text);
    let signed_in = sign_in(&api, &email, TEMPORARY).await;
    replace(&api, &email, &signed_in).await;
}
