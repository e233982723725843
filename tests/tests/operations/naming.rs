//! The responses to requests that start an operation name it.

use reqwest::{Method, StatusCode};
use shared::types::OperationId;
use tests::{Answer, api::answer, api::tenant_request};

use crate::stage::OperationsStage;

/// The operation that a response names in its body and in a header.
fn named(answer: &Answer) -> OperationId {
    let id = answer.json["operation_id"].as_str().unwrap_or_else(|| panic!("{}", answer.text));
    assert_eq!(answer.header("operation-location"), format!("/api/super-admin/operations/{id}"));
    id.parse().unwrap()
}

#[tokio::test]
async fn the_creation_and_the_retry_of_a_tenant_name_their_operations_also_when_repeated() {
    let stage = OperationsStage::new().await;
    let create = async || {
        let request = stage.api.request(Method::POST, "/tenants").header("idempotency-key", "create-kopi");
        answer(request.json(&tenant_request("kopi-kenangan"))).await
    };
    let created = create().await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let first = named(&created);
    let path = created.header("operation-location").trim_start_matches("/api/super-admin").to_owned();
    let operation = stage.api.get(&path).await;
    assert_eq!(operation.json["kind"], "provision", "{}", operation.text);
    assert_eq!(operation.json["tenant_id"], created.json["id"]);
    let replayed = create().await;
    assert_eq!(replayed.header("idempotent-replayed"), "true");
    assert_eq!((replayed.text.as_str(), named(&replayed)), (created.text.as_str(), first));

    let lease = stage.take(first).await;
    stage.fail(lease).await;
    let failed = "UPDATE tenants SET status = 'failed'";
    stage.world.client().await.batch_execute(failed).await.unwrap();
    let path = format!("/tenants/{}/retry", created.json["id"].as_str().unwrap());
    let retry = async || answer(stage.api.request(Method::POST, &path).header("idempotency-key", "retry-kopi")).await;
    let retried = retry().await;
    assert_eq!(retried.status, StatusCode::ACCEPTED, "{}", retried.text);
    let second = named(&retried);
    assert_ne!(second, first);
    assert_eq!(stage.state(second).await.0["kind"], "retry");
    let replayed = retry().await;
    assert_eq!((replayed.text.as_str(), named(&replayed)), (retried.text.as_str(), second));
    // Only these responses have the field.
    let tenant = stage.api.get(&format!("/tenants/{}", created.json["id"].as_str().unwrap())).await;
    assert!(tenant.json.get("operation_id").is_none(), "{}", tenant.text);
}
