//! `GET`, `POST` and `PATCH /admins`.

use reqwest::{Method, StatusCode};
use serde_json::json;
use shared::types::SuperAdminRole::{Operator, Owner, Viewer};
use tests::{Api, World, api::answer, tokens};

use crate::SignedIn;

#[tokio::test]
async fn a_new_super_admin_can_sign_in_and_is_listed() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let email = format!("ada-{}@landlord.example", uuid::Uuid::now_v7().simple());
    let body = json!({"email": email, "role": "operator", "password": "tidal-mango-orbit-42"});
    let request = || answer(api.request(Method::POST, "/admins").header("idempotency-key", "ada").json(&body));
    let created = request().await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    assert_eq!(created.json["role"], "operator");
    assert!(!created.text.contains("mango") && !created.text.contains("argon2"), "{}", created.text);
    assert_eq!(created.header("location"), format!("/api/super-admin/admins/{}", created.json["id"].as_str().unwrap()));
    let repeated = request().await;
    assert_eq!((repeated.status, &repeated.json), (StatusCode::CREATED, &created.json));
    let login = json!({"email": email.to_uppercase(), "password": "tidal-mango-orbit-42"});
    let signed_in = answer(api.anonymous(Method::POST, "/auth/login").json(&login)).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.text);
    let token = signed_in.json["access_token"].as_str().unwrap();
    // The password is temporary.
    assert_eq!(answer(api.anonymous(Method::GET, "/tenants").bearer_auth(token)).await.status, StatusCode::FORBIDDEN);
    let listed = api.get("/admins?role=operator&status=active").await;
    assert_eq!(listed.json, json!([created.json]));
    let first = api.get("/admins?limit=1").await;
    assert_eq!(first.json, json!([created.json]));
    assert!(first.header("link").contains("rel=\"next\""));
}

#[tokio::test]
async fn a_super_admin_is_returned_with_the_entity_tag_of_a_later_change() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let id = world.operator(Viewer).await;
    let path = format!("/admins/{id}");
    let found = api.get(&path).await;
    assert_eq!((found.status, found.header("etag")), (StatusCode::OK, "\"1\""), "{}", found.text);
    assert_eq!(
        [&found.json["id"], &found.json["role"], &found.json["subject"]],
        [&json!(id), &json!("viewer"), &json!(null)]
    );
    assert!(api.get("/admins?role=viewer,operator").await.json.as_array().unwrap().contains(&found.json));
    let change = api.request(Method::PATCH, &path).header("if-match", "\"1\"").json(&json!({"status": "disabled"}));
    let changed = answer(change).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let again = api.get(&path).await;
    assert_eq!((&again.json, again.header("etag")), (&changed.json, changed.header("etag")));
    assert_eq!(api.get(&format!("/admins/{}", tokens::UNKNOWN)).await.status, StatusCode::NOT_FOUND);
    let viewer = SignedIn::with(&world, &api, Viewer).await;
    assert_eq!(viewer.get(&path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_error_in_a_new_super_admin_is_reported() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    for (body, errors) in [
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
        assert_eq!(refused.faults(), errors, "{body}: {}", refused.text);
    }
    for path in ["/admins?role=king", "/admins?colour=red", "/admins?cursor=x", "/admins?limit=0"] {
        assert_eq!(api.get(path).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn an_e_mail_or_subject_of_another_super_admin_is_a_conflict() {
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
async fn the_last_owner_remains_even_if_two_owners_demote_each_other_at_once() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let own_path = format!("/admins/{}", tokens::OWNER);
    for patch in [json!({"role": "operator"}), json!({"status": "disabled"})] {
        let refused = api.patch(&own_path, &patch).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
        assert_eq!(refused.json["detail"], "Cannot demote or disable the last owner");
    }
    for _ in 0..5 {
        let other = SignedIn::with(&world, &api, Owner).await;
        let other_path = format!("/admins/{}", other.id);
        let patch = json!({"role": "viewer"});
        let (one, two) = tokio::join!(api.patch(&other_path, &patch), other.patch(&own_path, &patch));
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
async fn an_update_obeys_if_match_and_an_update_without_changes_writes_nothing() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let super_admin = SignedIn::with(&world, &api, Operator).await;
    let path = format!("/admins/{}", super_admin.id);
    let update =
        async |tag: &str, body| answer(api.request(Method::PATCH, &path).header("if-match", tag).json(&body)).await;
    assert_eq!(update("\"7\"", json!({"role": "viewer"})).await.status, StatusCode::PRECONDITION_FAILED);
    let unchanged = update("\"1\"", json!({"role": "operator", "status": "active"})).await;
    assert_eq!((unchanged.status, unchanged.header("etag")), (StatusCode::OK, "\"1\""));
    let updated = update("\"1\"", json!({"role": "viewer"})).await;
    assert_eq!((updated.status, updated.header("etag")), (StatusCode::OK, "\"2\""));
    assert_eq!(world.count("SELECT FROM audit WHERE action = 'admin.update'").await, 1);
    let missing = api.patch(&format!("/admins/{}", tokens::UNKNOWN), &json!({"role": "viewer"})).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(api.patch("/admins/x", &json!({"role": "viewer"})).await.status, StatusCode::BAD_REQUEST);
    let viewer = SignedIn::with(&world, &api, Viewer).await;
    assert_eq!(viewer.get("/admins").await.json.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn an_e_mail_is_compared_regardless_of_case_and_of_how_its_characters_are_composed() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let id = uuid::Uuid::now_v7().simple().to_string();
    // PostgreSQL lowers `İ` to `i`, Unicode to `i` with a dot above. `é` is one character or two.
    let spellings = [format!("İpek-é-{id}@landlord.example"), format!("İPEK-E\u{301}-{id}@LANDLORD.example")];
    let body = |email: &str| json!({"email": email, "role": "viewer", "password": "tidal-mango-orbit-42"});
    let created = api.post("/admins", &body(&spellings[0])).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    assert_eq!(created.json["email"], format!("i\u{307}pek-é-{id}@landlord.example"));
    for email in &spellings {
        let login = json!({"email": email, "password": "tidal-mango-orbit-42"});
        let signed_in = answer(api.anonymous(Method::POST, "/auth/login").json(&login)).await;
        assert_eq!(signed_in.status, StatusCode::OK, "{email}: {}", signed_in.text);
        assert_eq!(api.post("/admins", &body(email)).await.status, StatusCode::CONFLICT, "{email}");
    }
}
