//! `GET`, `POST` and `PATCH /admins`.

use reqwest::{Method, StatusCode};
use serde_json::json;
use shared::types::SuperAdminRole::{Operator, Owner, Viewer};
use tests::{Api, World, api::answer, tokens};

use crate::SignedIn;

#[tokio::test]
async fn an_operator_is_added_signs_in_and_is_listed() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let email = format!("ada-{}@landlord.example", uuid::Uuid::now_v7().simple());
    let body = json!({"email": email, "role": "operator", "password": "tidal-mango-orbit-42"});
    let request = || answer(api.request(Method::POST, "/admins").header("idempotency-key", "ada").json(&body));
    let added = request().await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.text);
    assert_eq!(added.json["role"], "operator");
    assert!(!added.text.contains("mango") && !added.text.contains("argon2"), "{}", added.text);
    assert_eq!(added.header("location"), format!("/api/super-admin/admins/{}", added.json["id"].as_str().unwrap()));
    let again = request().await;
    assert_eq!((again.status, &again.json), (StatusCode::CREATED, &added.json));
    let login = json!({"email": email.to_uppercase(), "password": "tidal-mango-orbit-42"});
    let signed_in = answer(api.anonymous(Method::POST, "/auth/login").json(&login)).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.text);
    let token = signed_in.json["access_token"].as_str().unwrap();
    assert_eq!(answer(api.anonymous(Method::GET, "/tenants").bearer_auth(token)).await.status, StatusCode::OK);
    let listed = api.get("/admins?role=operator&status=active").await;
    assert_eq!(listed.json, json!([added.json]));
    let first = api.get("/admins?limit=1").await;
    assert_eq!(first.json, json!([added.json]));
    assert!(first.header("link").contains("rel=\"next\""));
}

#[tokio::test]
async fn every_fault_of_a_new_operator_is_told() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    for (body, faults) in [
        (json!({}), vec!["/email", "/role"]),
        (
            json!({"email": "x", "role": "king", "password": "short", "admin": true}),
            vec!["/admin", "/email", "/password", "/role"],
        ),
        (json!({"email": "ada@landlord.example", "role": "viewer"}), vec![""]),
        (
            json!({"email": "ada@landlord.example", "role": "viewer", "password": "tidal-mango-orbit-42", "subject": "idp|1"}),
            vec![""],
        ),
        (json!({"email": "ada@landlord.example", "role": "viewer", "password": "password1234"}), vec!["/password"]),
        (json!({"email": "ada@landlord.example", "role": "viewer", "password": null}), vec!["/password"]),
        (json!({"email": "ada@landlord.example", "role": "viewer", "subject": "a b"}), vec!["/subject"]),
    ] {
        let refused = api.post("/admins", &body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", refused.text);
        assert_eq!(refused.faults(), faults, "{body}: {}", refused.text);
    }
    for path in ["/admins?role=king", "/admins?colour=red", "/admins?cursor=x", "/admins?limit=0"] {
        assert_eq!(api.get(path).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn an_e_mail_and_a_subject_belong_to_one_operator() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let one = json!({"email": "ada@landlord.example", "role": "viewer", "subject": "idp|1"});
    assert_eq!(api.post("/admins", &one).await.status, StatusCode::CREATED);
    let email = json!({"email": "ADA@Landlord.example", "role": "viewer", "subject": "idp|2"});
    let refused = api.post("/admins", &email).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    assert!(refused.json["detail"].as_str().unwrap().contains("e-mail"));
    let subject = json!({"email": "bob@landlord.example", "role": "viewer", "subject": "idp|1"});
    assert_eq!(api.post("/admins", &subject).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn the_last_owner_stays_even_when_two_remove_each_other_at_once() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let itself = format!("/admins/{}", tokens::OWNER);
    for patch in [json!({"role": "operator"}), json!({"status": "disabled"})] {
        let refused = api.patch(&itself, &patch).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    }
    for _ in 0..5 {
        let other = SignedIn::with(&world, &api, Owner).await;
        let its = format!("/admins/{}", other.id);
        let patch = json!({"role": "viewer"});
        let (one, two) = tokio::join!(api.patch(&its, &patch), other.patch(&itself, &patch));
        let statuses = [one.status, two.status];
        let owners = world.count("SELECT FROM super_admins WHERE role = 'owner' AND disabled_at IS NULL").await;
        assert_eq!(owners, 1, "{statuses:?}");
        let sql = format!(
            "UPDATE super_admins SET role = 'viewer' WHERE id = '{}'; UPDATE super_admins SET role = 'owner' WHERE id = '{}'",
            other.id,
            tokens::OWNER
        );
        world.client().await.batch_execute(&sql).await.unwrap();
    }
}

#[tokio::test]
async fn a_change_honours_if_match_and_one_that_changes_nothing_writes_nothing() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let operator = SignedIn::with(&world, &api, Operator).await;
    let path = format!("/admins/{}", operator.id);
    let change =
        async |tag: &str, body| answer(api.request(Method::PATCH, &path).header("if-match", tag).json(&body)).await;
    assert_eq!(change("\"7\"", json!({"role": "viewer"})).await.status, StatusCode::PRECONDITION_FAILED);
    let same = change("\"1\"", json!({"role": "operator", "status": "active"})).await;
    assert_eq!((same.status, same.header("etag")), (StatusCode::OK, "\"1\""));
    let changed = change("\"1\"", json!({"role": "viewer"})).await;
    assert_eq!((changed.status, changed.header("etag")), (StatusCode::OK, "\"2\""));
    assert_eq!(world.count("SELECT FROM audit WHERE action = 'admin.update'").await, 1);
    let nobody = api.patch(&format!("/admins/{}", tokens::NOBODY), &json!({"role": "viewer"})).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    assert_eq!(api.patch("/admins/x", &json!({"role": "viewer"})).await.status, StatusCode::BAD_REQUEST);
    let viewer = SignedIn::with(&world, &api, Viewer).await;
    assert_eq!(viewer.get("/admins").await.json.as_array().unwrap().len(), 3);
}
