//! The custom resource through which a deployment migrates: CloudFormation is sent the result.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    routing::put,
};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use shared::{
    config::{Clusters, QueueConfig},
    worker::invoke,
};
use tests::World;
use tokio::net::TcpListener;

use crate::stage::UsersStage;

/// The bucket to which results are sent. The first request fails.
async fn bucket() -> (String, Arc<Mutex<Vec<(HeaderMap, Value)>>>) {
    let received = Arc::new(Mutex::new(Vec::new()));
    let results = Arc::clone(&received);
    let receive = move |headers: HeaderMap, body: String| async move {
        let mut results = results.lock().unwrap();
        results.push((headers, serde_json::from_str(&body).unwrap()));
        if results.len() == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/result?X-Amz-Signature=secret", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/result", put(receive))).await });
    (url, received)
}

/// Invokes the function as CloudFormation does.
async fn release(world: &World, clusters: Clusters, url: &str, request_type: &str, versions: [u32; 2]) {
    let app =
        migrate_platform::App { platform: world.owner(), clusters, first_admin: None, queues: QueueConfig::default() };
    let arn =
        |version| json!({ "Release": format!("arn:aws:lambda:eu-central-1:1:function:migrate-platform:{version}") });
    let event = json!({
        "RequestType": request_type, "ResponseURL": url, "StackId": "stack", "RequestId": "request",
        "LogicalResourceId": "Migration", "ResourceType": "Custom::Migration",
        "ResourceProperties": arn(versions[0]), "OldResourceProperties": arn(versions[1]),
    });
    invoke(&app, migrate_platform::handle, LambdaEvent::new(event, Context::default())).await.unwrap();
}

#[tokio::test]
async fn a_deployment_fails_with_its_migration_and_a_rollback_never_fails() {
    let stage = UsersStage::new().await;
    let (url, results) = bucket().await;
    let last = || results.lock().unwrap().last().unwrap().1.clone();
    let reachable = || Clusters::single(stage.world.owner().url);

    release(&stage.world, reachable(), &url, "Update", [2, 1]).await;
    assert_eq!(results.lock().unwrap().len(), 2, "the result is sent again after an error");
    let expected = json!({
        "Status": "SUCCESS", "Reason": last()["Reason"], "PhysicalResourceId": "landlord-migrations",
        "StackId": "stack", "RequestId": "request", "LogicalResourceId": "Migration", "Data": {},
    });
    assert_eq!(last(), expected);
    assert_eq!(results.lock().unwrap()[1].0["content-type"], "", "the signature covers an empty type");

    // No server listens on this port.
    let unreachable = || Clusters::single("postgres://landlord@127.0.0.1:1/postgres");
    release(&stage.world, unreachable(), &url, "Update", [3, 2]).await;
    assert_eq!(last()["Status"], "FAILED", "{}", last());
    let reason = last()["Reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("refused"), "{reason}");

    // CloudFormation rolls back by an update to the earlier version, and must not fail.
    release(&stage.world, unreachable(), &url, "Update", [2, 3]).await;
    assert_eq!(last()["Status"], "SUCCESS");
    release(&stage.world, unreachable(), &url, "Delete", [3, 3]).await;
    assert_eq!(last()["Status"], "SUCCESS");
}
