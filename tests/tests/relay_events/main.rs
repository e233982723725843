//! The relay with real PostgreSQL, Kafka and SQS: every pending message is delivered, and events exactly once and in order,
//! even when relays die or servers fail.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "an unexpected error fails the test")]

mod acknowledgements;
mod deaths;
mod operations;
mod outages;
mod retention;
mod stage;
mod telemetry;

use std::time::Duration;

use lambda_runtime::{Context, LambdaEvent};
use relay_events::{App, handle};
use serde_json::{Value, json};
use shared::{
    types::{TenantId, TraceId},
    worker::invoke,
};
use stage::RelayStage;
use tokio::time::Instant;

fn scheduled() -> LambdaEvent<Value> {
    let payload = json!({
        "version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.scheduler",
        "resources": [], "detail": "{}",
    });
    LambdaEvent::new(payload, Context::default())
}

fn poke() -> LambdaEvent<Value> {
    let record = json!({ "messageId": "1", "receiptHandle": "r", "body": "{}", "eventSource": "aws:sqs" });
    LambdaEvent::new(json!({ "Records": [record] }), Context::default())
}

/// The event with a deadline.
fn with_deadline(mut event: LambdaEvent<Value>, remaining: Duration) -> LambdaEvent<Value> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    event.context.deadline = u64::try_from((now + remaining).as_millis()).unwrap();
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_delivered_exactly_once_in_the_order_of_their_tenant() {
    let stage = RelayStage::new().await;
    let tenants = [TenantId::generate(), TenantId::generate(), TenantId::generate()];
    let mut enqueued = Vec::new();
    for round in 0..400 {
        enqueued.extend(stage.enqueue(&tenants, round).await);
    }
    let app = stage.relay();

    let report = invoke(&app, handle, scheduled()).await.unwrap();

    assert_eq!(report["events_sent"], 1200);
    assert_eq!(stage.pending().await, 0);
    let messages = stage.read();
    stage.assert_topic_has_exactly(&enqueued);
    for message in &messages {
        assert_eq!(message.headers["content-type"], "application/cloudevents+json");
        assert_eq!(message.payload["id"], message.headers["ce_id"]);
        assert!(TraceId::from_traceparent(&message.headers["traceparent"]).is_some(), "{message:?}");
        assert_eq!(message.payload["subject"], message.key.as_str());
    }
    assert_eq!(stage.partitions(), 6, "the relay creates a missing topic");

    assert_eq!(invoke(&app, handle, scheduled()).await.unwrap()["events_sent"], 0);
    assert_eq!(stage.read().len(), 1200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poke_delivers_pending_events() {
    let stage = RelayStage::new().await;
    let enqueued = stage.enqueue(&[TenantId::generate()], 0).await;
    let app = stage.relay();
    assert_eq!(invoke(&app, handle, poke()).await.unwrap(), json!({ "batchItemFailures": [] }));
    stage.assert_topic_has_exactly(&enqueued);
    // The second run reuses the producer of the first.
    let start = Instant::now();
    let more = stage.enqueue(&[TenantId::generate()], 1).await;
    invoke(&app, handle, poke()).await.unwrap();
    println!("a warm poke with one event: {:?}", start.elapsed());
    stage.assert_topic_has_exactly(&[enqueued, more].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_relays_deliver_every_event_exactly_once() {
    let stage = RelayStage::new().await;
    let tenants = [TenantId::generate(), TenantId::generate(), TenantId::generate()];
    let relays: Vec<App> = (0..4).map(|_| stage.relay()).collect();
    let mut enqueued = Vec::new();
    for round in 0..15 {
        enqueued.extend(stage.enqueue(&tenants, round).await);
        let results = futures::future::join_all(relays.iter().map(|app| invoke(app, handle, scheduled()))).await;
        // A relay leaves the events to another one that is sending, which looks for due events again when it is done.
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        assert_eq!(stage.pending().await, 0, "round {round}");
    }
    stage.assert_topic_has_exactly(&enqueued);
}
