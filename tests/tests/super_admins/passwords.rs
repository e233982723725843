//! `POST /auth/change-password`, and a password that an owner sets.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use shared::types::SuperAdminRole::{Operator, Owner, Viewer};
use tests::{Api, PASSWORD, World, api::answer, until};

use crate::SignedIn;

const NEW: &str = "tidal-mango-orbit-42";

#[tokio::test]
async fn changing_the_password_ends_every_other_session() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let mut viewer = SignedIn::with(&world, &api, Viewer).await;
    let changed =
        viewer.post("/auth/change-password", &json!({"current_password": PASSWORD, "new_password": NEW})).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!(viewer.get("/tenants").await.status, StatusCode::UNAUTHORIZED);
    viewer.token = changed.json["access_token"].as_str().unwrap().to_owned();
    assert_eq!(viewer.get("/tenants").await.status, StatusCode::OK);
    let row = world.client().await.query_one("SELECT email FROM super_admins WHERE id = $1", &[&viewer.id.0]).await;
    let email: String = row.unwrap().get(0);
    for (password, status) in [(PASSWORD, StatusCode::UNAUTHORIZED), (NEW, StatusCode::OK)] {
        let body = json!({"email": email, "password": password});
        assert_eq!(answer(api.anonymous(Method::POST, "/auth/login").json(&body)).await.status, status);
    }
    assert_eq!(world.count("SELECT FROM audit WHERE action = 'admin.change_password' AND outcome = 'done'").await, 1);
    let secrets = "SELECT FROM audit WHERE details::text ILIKE '%mango%' OR details::text ILIKE '%argon2%'";
    assert_eq!(world.count(secrets).await, 0);
}

#[tokio::test]
async fn a_wrong_current_password_is_refused_and_attempts_are_limited() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let viewer = SignedIn::with(&world, &api, Viewer).await;
    let body = json!({"current_password": "wrong", "new_password": NEW});
    for _ in 0..10 {
        let refused = viewer.post("/auth/change-password", &body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
        assert_eq!(refused.faults(), ["/current_password"]);
    }
    let right = json!({"current_password": PASSWORD, "new_password": NEW});
    let refused = viewer.post("/auth/change-password", &right).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(viewer.get("/tenants").await.status, StatusCode::OK);
    let refusals = "SELECT FROM audit WHERE action = 'admin.change_password' AND outcome = 'refused'";
    assert_eq!(world.count(refusals).await, 11);
    assert_eq!(world.count(&format!("{refusals} AND details ? 'limit'")).await, 1);
}

#[tokio::test]
async fn a_password_that_an_owner_sets_meanwhile_is_not_overwritten() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let viewer = SignedIn::with(&world, &api, Viewer).await;
    let other = world.client().await;
    let pid: i32 = other.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    other.batch_execute("BEGIN").await.unwrap();
    let set =
        "UPDATE super_admins SET password_hash = 'set by an owner', session_epoch = session_epoch + 1 WHERE id = $1";
    other.execute(set, &[&viewer.id.0]).await.unwrap();
    let body = json!({"current_password": PASSWORD, "new_password": NEW});
    let change = async { viewer.post("/auth/change-password", &body).await };
    let commit = async {
        // The request has verified the current password, and waits for the row.
        let waits = format!(
            "SELECT FROM pg_locks held JOIN pg_locks waiting ON waiting.transactionid = held.transactionid
             WHERE held.granted AND NOT waiting.granted AND held.pid = {pid}"
        );
        until("the request waits", Duration::from_secs(10), async || world.count(&waits).await == 1).await;
        other.batch_execute("COMMIT").await.unwrap();
    };
    let (changed, ()) = tokio::join!(change, commit);
    assert_eq!(changed.status, StatusCode::UNAUTHORIZED, "{}", changed.text);
    assert_eq!(world.count("SELECT FROM super_admins WHERE password_hash = 'set by an owner'").await, 1);
}

#[tokio::test]
async fn common_passwords_are_refused_and_no_kinds_of_characters_are_required() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let viewer = SignedIn::with(&world, &api, Viewer).await;
    for bad in ["password1234", "qwertyuiop12", "iloveyou1234", "aaaaaaaaaaaaaaa", "short"] {
        let body = json!({"current_password": PASSWORD, "new_password": bad});
        let refused = viewer.post("/auth/change-password", &body).await;
        assert_eq!(
            (refused.status, refused.faults()),
            (StatusCode::UNPROCESSABLE_ENTITY, vec!["/new_password".to_owned()])
        );
        assert!(!refused.text.contains(bad), "{}", refused.text);
    }
    let body = json!({"current_password": PASSWORD, "new_password": "violet harbour lantern moss"});
    assert_eq!(viewer.post("/auth/change-password", &body).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_password_set_by_an_owner_ends_the_super_admins_sessions() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let super_admin = SignedIn::with(&world, &api, Operator).await;
    let set = api.patch(&format!("/admins/{}", super_admin.id), &json!({"password": NEW})).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    assert_eq!(super_admin.get("/tenants").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_own_password_is_changed_with_the_current_one_only() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let owner = SignedIn::with(&world, &api, Owner).await;
    let path = format!("/admins/{}", owner.id);
    for patch in [json!({"password": NEW}), json!({"password": NEW, "role": "viewer"})] {
        let refused = owner.patch(&path, &patch).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
        assert!(refused.json["detail"].as_str().unwrap().contains("POST /auth/change-password"), "{}", refused.text);
    }
    // Nothing has changed: the session, the role and the password are those of before.
    assert_eq!(owner.get("/tenants").await.status, StatusCode::OK);
    let changed =
        owner.post("/auth/change-password", &json!({"current_password": PASSWORD, "new_password": NEW})).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let refusals = "SELECT FROM audit WHERE action = 'admin.update' AND outcome = 'refused'
                    AND details ->> 'reason' = 'own_password'";
    assert_eq!(world.count(refusals).await, 2);
}

#[tokio::test]
async fn owners_cannot_demote_or_disable_themselves() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let owner = SignedIn::with(&world, &api, Owner).await;
    let path = format!("/admins/{}", owner.id);
    for patch in [json!({"role": "operator"}), json!({"status": "disabled"})] {
        let refused = owner.patch(&path, &patch).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
        assert!(refused.json["detail"].as_str().unwrap().contains("another owner"), "{}", refused.text);
    }
    // What changes nothing is no demotion.
    let same = owner.patch(&path, &json!({"role": "owner", "status": "active"})).await;
    assert_eq!(same.status, StatusCode::OK, "{}", same.text);
    let refusals = "SELECT FROM audit WHERE action = 'admin.update' AND outcome = 'refused'
                    AND details ->> 'reason' = 'own_rights'";
    assert_eq!(world.count(refusals).await, 2);
    assert_eq!(api.patch(&path, &json!({"role": "operator"})).await.status, StatusCode::OK);
}
