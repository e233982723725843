//! Updating users: name, role, status, password.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::passwords;
use tests::{TestTenant, api::answer};

use crate::stage::{PASSWORD, REASON, UsersStage};

const NEW_PASSWORD: &str = "quiet-lemon-harbor-17";

async fn secrets(stage: &UsersStage, tenant: &TestTenant, user: &Value) -> (String, i32) {
    let sql = "SELECT password_hash, session_epoch FROM users WHERE id::text = $1";
    let row = stage.inside(tenant).await.query_one(sql, &[&user["id"].as_str().unwrap()]).await.unwrap();
    (row.get(0), row.get(1))
}

fn id(user: &Value) -> &str {
    user["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_patch_changes_the_name_and_the_role_and_absent_fields_stay() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let user = stage.added(&tenant, "budi@kopi.example", "agent").await;
    let before = secrets(&stage, &tenant, &user).await;
    let changed = stage.change(&tenant, id(&user), &json!({"full_name": " Budi S. "})).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!(changed.header("etag"), "\"2\"");
    assert_eq!((&changed.json["full_name"], &changed.json["role"]), (&json!("Budi S."), &json!("agent")));
    assert!(changed.json["updated_at"].as_str() > user["updated_at"].as_str());
    let changed = stage.change(&tenant, id(&user), &json!({"role": "admin", "reason": REASON})).await;
    assert_eq!((&changed.json["full_name"], &changed.json["role"]), (&json!("Budi S."), &json!("admin")));
    assert_eq!(stage.list(&tenant, &[]).await[0], changed.json);
    assert_eq!(secrets(&stage, &tenant, &user).await, before);
    assert_eq!(stage.event_types(&tenant).await, ["user.created", "user.updated", "user.updated"]);
}

#[tokio::test]
async fn a_patch_that_changes_nothing_writes_nothing() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let user = stage.added(&tenant, "budi@kopi.example", "agent").await;
    for patch in [json!({}), json!({"full_name": "Budi Santoso", "role": "agent", "status": "active"})] {
        let same = stage.change(&tenant, id(&user), &patch).await;
        assert_eq!((same.status, same.header("etag"), &same.json), (StatusCode::OK, "\"1\"", &user));
    }
    assert_eq!(stage.event_types(&tenant).await, ["user.created"]);
    assert_eq!(stage.outcomes(&tenant).await, ["intended", "done"]);
}

#[tokio::test]
async fn an_update_of_another_revision_is_refused() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let user = stage.added(&tenant, "budi@kopi.example", "agent").await;
    let change = async |tag: &str, name: &str| {
        let path = format!("/users/{}?tenant_id={}", id(&user), tenant.id);
        let change = stage.api.request(Method::PATCH, &path).header("if-match", tag).json(&json!({"full_name": name}));
        answer(change).await.status
    };
    assert_eq!(change("\"7\"", "A").await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(change("\"1\"", "B").await, StatusCode::OK);
    assert_eq!(change("\"1\"", "C").await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(change("*", "D").await, StatusCode::OK);
    assert_eq!(stage.outcomes(&tenant).await.len(), 6);
}

#[tokio::test]
async fn deactivation_frees_a_seat_and_ends_sessions_and_reactivation_needs_a_seat() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(Some(2)).await;
    let user = stage.added(&tenant, "budi@kopi.example", "agent").await;
    stage.inside(&tenant).await.batch_execute("UPDATE users SET online_until = now() + interval '1 h'").await.unwrap();
    let deactivated = stage.change(&tenant, id(&user), &json!({"status": "deactivated"})).await;
    assert_eq!(deactivated.status, StatusCode::OK, "{}", deactivated.text);
    assert_eq!((&deactivated.json["status"], &deactivated.json["is_online"]), (&json!("deactivated"), &json!(false)));
    assert_eq!(secrets(&stage, &tenant, &user).await.1, 1);
    assert_eq!(stage.list(&tenant, &[]).await.len(), 2, "the user still exists");

    let other = stage.added(&tenant, "siti@kopi.example", "agent").await;
    let full = stage.change(&tenant, id(&user), &json!({"status": "active"})).await;
    assert_eq!(full.status, StatusCode::CONFLICT, "{}", full.text);
    assert!(full.text.contains("max_agents is 2"), "{}", full.text);
    stage.change(&tenant, id(&other), &json!({"status": "deactivated"})).await;
    let back = stage.change(&tenant, id(&user), &json!({"status": "active"})).await;
    assert_eq!((back.status, &back.json["status"]), (StatusCode::OK, &json!("active")));
    assert_eq!(secrets(&stage, &tenant, &user).await.1, 1, "the sessions had ended before");
    assert_eq!(
        stage.event_types(&tenant).await,
        ["user.created", "user.deactivated", "user.created", "user.deactivated", "user.reactivated"]
    );
}

#[tokio::test]
async fn a_new_password_replaces_the_old_one_and_ends_every_session() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let user = stage.added(&tenant, "budi@kopi.example", "agent").await;
    let reset = stage.change(&tenant, id(&user), &json!({"password": NEW_PASSWORD, "reason": REASON})).await;
    assert_eq!((reset.status, reset.header("etag")), (StatusCode::OK, "\"2\""), "{}", reset.text);
    let (hash, epoch) = secrets(&stage, &tenant, &user).await;
    assert!(passwords::verify(&NEW_PASSWORD.into(), Some(&hash)).await.unwrap());
    assert!(!passwords::verify(&PASSWORD.into(), Some(&hash)).await.unwrap());
    assert_eq!(epoch, 1);
    // The same password again is a reset too, so that the response does not reveal whether it was the same.
    assert_eq!(
        stage.change(&tenant, id(&user), &json!({"password": NEW_PASSWORD, "reason": REASON})).await.header("etag"),
        "\"3\""
    );
    assert_eq!(stage.event_types(&tenant).await, ["user.created", "user.password_reset", "user.password_reset"]);
}

#[tokio::test]
async fn a_response_lists_every_invalid_field_of_a_patch() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let bad =
        json!({"full_name": null, "role": "owner", "status": "gone", "password": "short", "email": "new@kopi.example"});
    let refused = stage.change(&tenant, tenant.admin, &bad).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.faults(), ["/email", "/full_name", "/password", "/role", "/status"]);
    let guessable = stage.change(&tenant, tenant.admin, &json!({"password": "administrator1", "reason": REASON})).await;
    assert_eq!(
        (guessable.status, guessable.faults()),
        (StatusCode::UNPROCESSABLE_ENTITY, vec!["/password".to_owned()])
    );
    assert_eq!(stage.audit(&tenant).await, []);
}
