//! What a super-admin may do about an operation that does not come to an end.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::{
    operations::{Fault, JournalError, StepChange, StepName, store::journal},
    types::OperationId,
};
use tests::queues;

use crate::stage::OperationsStage;

/// An operation that waits for a long time after a fault.
async fn postponed(stage: &OperationsStage) -> OperationId {
    let id = stage.operation("kopi-kenangan").await;
    let lease = stage.take(id).await;
    let client = stage.workers.get().await.unwrap();
    let wait = Duration::from_mins(5);
    journal::postpone(&client, lease, Fault::Unavailable, "MongoDB could not be reached", wait, None).await.unwrap();
    queues::drain(&stage.world.provision_queue_url).await;
    id
}

/// The operations that the messages in the queue name.
async fn messages(stage: &OperationsStage) -> Vec<Value> {
    let bodies = queues::drain(&stage.world.provision_queue_url).await;
    bodies.iter().map(|body| serde_json::from_str::<Value>(body).unwrap()["operation_id"].clone()).collect()
}

async fn actions(stage: &OperationsStage) -> Vec<String> {
    let sql = "SELECT action FROM audit WHERE action LIKE 'operation.%' ORDER BY at, id";
    stage.world.client().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_super_admin_ends_the_wait_of_an_operation() {
    let stage = OperationsStage::new().await;
    let id = postponed(&stage).await;
    let waiting = stage.api.get(&format!("/operations/{id}")).await.json;
    assert_eq!((&waiting["status"], &waiting["fault"]), (&json!("running"), &json!("unavailable")), "{waiting}");
    assert_eq!(waiting["reason"], "MongoDB could not be reached");
    assert!(!stage.is_due(id).await, "it waits");
    let client = stage.world.client().await;
    let fails = "UPDATE tenants SET postgres_cluster = 'main', mongo_cluster = 'main';
         INSERT INTO store_breakers (store, cluster, subject_id, open_until)
         SELECT 'mongodb', cluster, gen_random_uuid(), now() + interval '30 s' FROM (VALUES ('main'), ('other')) AS clusters (cluster)";
    client.batch_execute(fails).await.unwrap();

    let retried = stage.api.post(&format!("/operations/{id}/retry"), &json!(null)).await;
    assert_eq!(retried.status, StatusCode::OK, "{}", retried.text);
    assert_eq!(messages(&stage).await, [json!(id)]);
    assert!(stage.is_due(id).await);
    let open =
        client.query("SELECT cluster FROM store_breakers WHERE open_until > clock_timestamp()", &[]).await.unwrap();
    assert_eq!(open.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), ["other"]);
    stage.take(id).await;
    assert_eq!(actions(&stage).await, ["operation.retry"]);
}

#[tokio::test]
async fn an_abandoned_operation_is_taken_from_its_worker_and_rolled_back() {
    let stage = OperationsStage::new().await;
    let id = stage.operation("kopi-kenangan").await;
    let late = stage.take(id).await;
    queues::drain(&stage.world.provision_queue_url).await;

    let abandoned = stage.api.post(&format!("/operations/{id}/abandon"), &json!(null)).await;
    assert_eq!(abandoned.status, StatusCode::OK, "{}", abandoned.text);
    assert_eq!(abandoned.json["status"], "undoing");
    assert_eq!(abandoned.json["reason"], "A super-admin abandoned the operation");
    assert_eq!(messages(&stage).await, [json!(id)]);
    let client = stage.workers.get().await.unwrap();
    let written = journal::record(&client, late, StepName::MongodbDatabase, StepChange::Started).await;
    assert!(matches!(written, Err(JournalError::Fenced)), "{written:?}");

    let again = stage.api.post(&format!("/operations/{id}/abandon"), &json!(null)).await;
    assert_eq!((again.status, &again.json["status"]), (StatusCode::OK, &json!("undoing")));
    let lease = stage.take(id).await;
    assert!(lease.token > late.token + 1, "the rollback and its worker have tokens of their own");
    assert_eq!(actions(&stage).await, ["operation.abandon", "operation.abandon"]);
}

#[tokio::test]
async fn an_operation_that_has_ended_or_does_not_exist_cannot_be_changed() {
    let stage = OperationsStage::new().await;
    let id = stage.operation("kopi-kenangan").await;
    let lease = stage.take(id).await;
    stage.fail(lease).await;
    for verb in ["retry", "abandon"] {
        let ended = stage.api.post(&format!("/operations/{id}/{verb}"), &json!(null)).await;
        assert_eq!(ended.status, StatusCode::CONFLICT, "{}", ended.text);
        assert!(ended.json["type"].as_str().unwrap().ends_with("/operation-ended"), "{}", ended.text);
        assert_eq!(ended.json["operation_id"], json!(id));
        let unknown = format!("/operations/0190a0c4-8f6e-7c3a-9d2b-5e1f00c0ffee/{verb}");
        assert_eq!(stage.api.post(&unknown, &json!(null)).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn stuck_operations_are_those_that_do_not_come_to_an_end() {
    let stage = OperationsStage::new().await;
    stage.world.leaves_contradictions("an operation is ended by hand");
    let mut ids = Vec::new();
    for (slug, change) in [
        ("fresh", "faults = 2"),
        ("faulty", "faults = 3, next_attempt_at = now() + interval '4 minutes'"),
        ("late", "gives_up_at = now() - interval '1 s'"),
        ("forgotten", "next_attempt_at = now() - interval '3 minutes'"),
        ("held", "next_attempt_at = now() - interval '3 minutes', lease_expires_at = now() + interval '30 s'"),
        ("ended", "faults = 9, next_attempt_at = NULL, finished_at = now(), status = 'failed'"),
    ] {
        let id = stage.operation(slug).await;
        let sql = format!("UPDATE operations SET {change} WHERE id = '{id}'");
        stage.world.client().await.batch_execute(&sql).await.unwrap();
        ids.push((slug, id.to_string()));
    }
    let listed = async |query: &str| {
        let listed = stage.api.get(&format!("/operations?sort=created_at&{query}")).await;
        assert_eq!(listed.status, StatusCode::OK, "{}", listed.text);
        let found = listed.json.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
        found.map(|id| ids.iter().find(|(_, one)| *one == id).unwrap().0).collect::<Vec<_>>()
    };
    assert_eq!(listed("stuck=true").await, ["faulty", "late", "forgotten"]);
    assert_eq!(listed("stuck=true&status=pending,running").await, ["faulty", "late", "forgotten"]);
    assert_eq!(listed("stuck=false").await, ["fresh", "held", "ended"]);
    let invalid = stage.api.get("/operations?stuck=maybe").await;
    assert_eq!((invalid.status, invalid.faults()), (StatusCode::BAD_REQUEST, vec!["stuck".to_owned()]));
}
