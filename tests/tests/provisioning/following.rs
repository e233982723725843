//! A client that follows an operation, as the API's description says, while a worker provisions the tenant.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use shared::operations::OperationStatus;
use tests::{Api, api::answer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::stage::{ProvisioningStage, Requested};

/// The states that a client sees until the operation has ended, each with its revision, and the time of the last response.
async fn follow(api: &Api, path: &str) -> (Vec<(u64, Value)>, OffsetDateTime) {
    let mut seen: Vec<(u64, Value)> = Vec::new();
    loop {
        let mut request = api.request(Method::GET, &format!("{path}?wait=20"));
        if let Some((revision, _)) = seen.last() {
            request = request.header("if-none-match", format!("\"{revision}\""));
        }
        let response = answer(request).await;
        let now = OffsetDateTime::now_utc();
        let revision = response.header("etag").trim_matches('"').parse().unwrap();
        match response.status {
            StatusCode::OK => seen.push((revision, response.json.clone())),
            StatusCode::NOT_MODIFIED => assert_eq!(Some(&revision), seen.last().map(|(revision, _)| revision)),
            other => panic!("{other}: {}", response.text),
        }
        match response.header("retry-after") {
            "" => return (seen, now),
            seconds => tokio::time::sleep(Duration::from_secs(seconds.parse().unwrap())).await,
        }
    }
}

#[tokio::test]
async fn a_client_that_follows_an_operation_sees_it_progress_and_learns_at_once_that_the_tenant_is_active() {
    let stage = ProvisioningStage::new().await;
    let api = Api::of(&stage.world).await;
    let (mut delays, mut counts) = (Vec::new(), Vec::new());
    for slug in ["one", "two", "three"] {
        let created = api.create_tenant(slug).await;
        let id = |name: &str| created[name].as_str().unwrap().to_owned();
        let requested = Requested { tenant: id("id").parse().unwrap(), operation: id("operation_id").parse().unwrap() };
        let path = format!("/operations/{}", requested.operation);
        let ((seen, at), status) = tokio::join!(follow(&api, &path), stage.finish(requested));
        assert_eq!(status, OperationStatus::Succeeded);
        assert!(seen.is_sorted_by(|(a, _), (b, _)| a < b), "each state is newer than the one before");
        let (_, last) = seen.last().unwrap();
        assert_eq!(last["status"], "succeeded");
        assert!(last["steps"].as_array().unwrap().iter().all(|step| step["status"] == "succeeded"), "{last}");
        counts.push(seen.len());
        assert_eq!(api.get(&format!("/tenants/{}", requested.tenant)).await.json["status"], "active");
        let ended = OffsetDateTime::parse(last["finished_at"].as_str().unwrap(), &Rfc3339).unwrap();
        println!("{} states; learned of the active tenant after {}", seen.len(), at - ended);
        delays.push(at - ended);
    }
    // On a busy machine a client may miss all but the last state.
    assert!(counts.iter().max().unwrap() > &1, "{counts:?}");
    // 150 ms, unless the machine is busy.
    assert!(delays.iter().min().unwrap() < &Duration::from_millis(500), "{delays:?}");
}
