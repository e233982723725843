//! A repeated request creates one user.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Answer, api::answer};

use crate::stage::{UsersStage, request};

async fn add(stage: &UsersStage, key: &str, body: &Value) -> Answer {
    answer(stage.api.request(Method::POST, "/users").header("idempotency-key", key).json(body)).await
}

#[tokio::test]
async fn a_repeated_request_gets_the_stored_response_and_creates_one_user() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let body = request(&tenant, "budi@kopi.example");
    let first = add(&stage, "key-1", &body).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    let again = add(&stage, "key-1", &body).await;
    assert_eq!((again.status, &again.text), (StatusCode::CREATED, &first.text));
    assert_eq!((again.header("idempotent-replayed"), again.header("etag")), ("true", first.header("etag")));
    let mut other = body.clone();
    other["full_name"] = json!("Someone else");
    assert_eq!(add(&stage, "key-1", &other).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(stage.event_types(&tenant).await, ["user.created"]);
    assert_eq!(stage.outcomes(&tenant).await, ["intended", "done"]);
}

#[tokio::test]
async fn of_concurrent_requests_with_the_same_key_one_is_executed() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(None).await;
    let body = request(&tenant, "budi@kopi.example");
    let answers = join_all((0..8).map(|_| add(&stage, "key-1", &body))).await;
    for answer in &answers {
        let is_running = answer.status == StatusCode::CONFLICT && answer.text.contains("request-in-progress");
        assert!(answer.status == StatusCode::CREATED || is_running, "{}", answer.text);
    }
    assert!(answers.iter().any(|answer| answer.status == StatusCode::CREATED));
    assert_eq!(stage.count(&tenant, "SELECT FROM users WHERE email = 'budi@kopi.example'").await, 1);
    assert_eq!(stage.outcomes(&tenant).await, ["intended", "done"]);
    assert_eq!(add(&stage, "key-1", &body).await.header("idempotent-replayed"), "true");
}

#[tokio::test]
async fn a_refusal_is_not_stored_and_the_key_can_be_used_again() {
    let stage = UsersStage::new().await;
    let tenant = stage.tenant(Some(1)).await;
    let body = request(&tenant, "budi@kopi.example");
    assert_eq!(add(&stage, "key-1", &body).await.status, StatusCode::CONFLICT);
    stage.sql("UPDATE tenants SET max_agents = 2").await;
    let accepted = add(&stage, "key-1", &body).await;
    assert_eq!(accepted.status, StatusCode::CREATED, "{}", accepted.text);
    assert_eq!(accepted.header("idempotent-replayed"), "");
}
