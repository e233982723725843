//! `GET /operations/{id}?wait=`: when it responds, and with what.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use shared::operations::{StepChange, StepName, store::journal};

use crate::stage::OperationsStage;

/// Much less than the wait of 20 s, and enough for a busy machine.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_response_that_waits_is_sent_as_soon_as_the_status_the_attempts_or_a_step_changes() {
    let stage = OperationsStage::new().await;
    let id = stage.operation("kopi-kenangan").await;
    let wait = async |etag: Option<String>| {
        let (changed, elapsed) = stage.get(id, "wait=20", etag.as_deref()).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
        assert!(elapsed < SOON, "{elapsed:?}");
        assert_eq!(changed.header("retry-after"), if changed.json["finished_at"].is_null() { "0" } else { "" });
        changed
    };
    // Without If-None-Match, a change is one after the beginning of the request.
    let (taken, lease) = tokio::join!(wait(None), async {
        stage.until_waiting(1).await;
        stage.take(id).await
    });
    assert_eq!([&taken.json["status"], &taken.json["attempts"]], [&json!("running"), &json!(1)]);
    let (started, ()) = tokio::join!(wait(Some(taken.header("etag").to_owned())), async {
        stage.until_waiting(1).await;
        stage.record(lease, StepName::PostgresqlDatabase, StepChange::Started).await;
    });
    assert_eq!(started.json["steps"][1]["status"], "running");
    let (ended, ()) = tokio::join!(wait(Some(started.header("etag").to_owned())), async {
        stage.until_waiting(1).await;
        stage.fail(lease).await;
    });
    assert!(["undoing", "failed"].contains(&ended.json["status"].as_str().unwrap()), "{}", ended.text);
    assert_eq!(stage.waiting().await, 0);
}

#[tokio::test]
async fn an_operation_that_changed_since_the_entity_tag_or_has_ended_is_returned_at_once() {
    let stage = OperationsStage::new().await;
    let id = stage.operation("kopi-kenangan").await;
    let (_, pending) = stage.state(id).await;
    let lease = stage.take(id).await;
    let (changed, elapsed) = stage.get(id, "wait=20", Some(&pending)).await;
    assert_eq!((changed.status, changed.json["status"].as_str()), (StatusCode::OK, Some("running")));
    assert!(elapsed < SOON, "{elapsed:?}");
    assert!(!changed.header("retry-after").is_empty());
    stage.fail(lease).await;
    let (_, ended) = stage.state(id).await;
    for (etag, status) in [(None, StatusCode::OK), (Some(&*ended), StatusCode::NOT_MODIFIED)] {
        let (answer, elapsed) = stage.get(id, "wait=20", etag).await;
        assert_eq!((answer.status, answer.header("etag")), (status, &*ended));
        assert!(elapsed < SOON, "{elapsed:?}");
        // Its absence is what ends a client's loop.
        assert_eq!(answer.header("retry-after"), "");
    }
}

#[tokio::test]
async fn without_a_change_the_response_is_sent_after_the_wait() {
    let stage = OperationsStage::new().await;
    let id = stage.operation("kopi-kenangan").await;
    let (_, pending) = stage.state(id).await;
    for (etag, status) in [(None, StatusCode::OK), (Some(&*pending), StatusCode::NOT_MODIFIED)] {
        let (answer, elapsed) = stage.get(id, "wait=1", etag).await;
        assert_eq!((answer.status, answer.header("etag")), (status, &*pending), "{}", answer.text);
        assert!((Duration::from_millis(900)..SOON).contains(&elapsed), "{elapsed:?}");
        assert_eq!(answer.header("retry-after"), "0");
        assert_eq!(answer.text.is_empty(), status == StatusCode::NOT_MODIFIED);
    }
    // Longer than the deadline of other requests.
    let (answer, elapsed) = stage.get(id, "wait=10", Some(&pending)).await;
    assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{}", answer.text);
    assert!(elapsed > Duration::from_secs(9), "{elapsed:?}");
}

#[tokio::test]
async fn a_wait_is_an_integer_from_0_to_20() {
    let stage = OperationsStage::new().await;
    let id = stage.operation("kopi-kenangan").await;
    for at_once in ["", "wait=", "wait=0"] {
        let (answer, elapsed) = stage.get(id, at_once, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{at_once}: {}", answer.text);
        assert!(elapsed < SOON, "{at_once}: {elapsed:?}");
        assert_eq!(answer.header("retry-after"), "2", "{at_once}");
    }
    for invalid in ["wait=21", "wait=-1", "wait=x", "wait=1.5", "wait=20s", "wait=1&wait=2"] {
        let (answer, elapsed) = stage.get(id, invalid, None).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{invalid}: {}", answer.text);
        assert_eq!(answer.faults(), ["wait"], "{invalid}");
        assert!(elapsed < SOON, "{invalid}: {elapsed:?}");
    }
    assert!(stage.get(id, "wait=21", None).await.0.text.contains("must be an integer from 0 to 20"));
    let unknown = stage.api.get("/operations/0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee?wait=20").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{}", unknown.text);
}

#[tokio::test]
async fn waking_an_operation_changes_no_entity_tag() {
    let stage = OperationsStage::new().await;
    let id = stage.operation("kopi-kenangan").await;
    stage.take(id).await;
    let client = stage.workers.get().await.unwrap();
    let abandoned = "UPDATE operations SET lease_expires_at = now(), next_attempt_at = now() - interval '2 minutes'";
    client.batch_execute(&format!("{abandoned}; DELETE FROM outbox WHERE destination = 'provision'")).await.unwrap();
    let (_, before) = stage.state(id).await;
    let (grace, interval) = (Duration::from_mins(1), Duration::from_mins(5));
    assert_eq!(journal::wake_overdue(&client, grace, interval).await.unwrap(), 1);
    assert_eq!(journal::wake_overdue(&client, grace, interval).await.unwrap(), 0, "it was woken a moment ago");
    assert_eq!(stage.state(id).await.1, before);
}
