//! The relay against real PostgreSQL, Kafka and SQS: what is owed arrives, events once and in order, whatever dies when.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod deaths;
mod operations;
mod outages;
mod stage;

use shared::worker::invoke;
use std::time::Duration;

use lambda_runtime::{Context, LambdaEvent};
use relay_events::{App, handle};
use serde_json::{Value, json};
use shared::types::TenantId;
use stage::Stage;
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

/// With this much left until the deadline.
fn within(mut event: LambdaEvent<Value>, left: Duration) -> LambdaEvent<Value> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    event.context.deadline = u64::try_from((now + left).as_millis()).unwrap();
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_once_in_the_order_of_their_tenant() {
    let stage = Stage::new().await;
    let tenants = [TenantId::generate(), TenantId::generate(), TenantId::generate()];
    let mut owed = Vec::new();
    for round in 0..400 {
        owed.extend(stage.owe(&tenants, round).await);
    }
    let app = stage.relay();

    let report = invoke(&app, handle, scheduled()).await.unwrap();

    assert_eq!(report["events_sent"], 1200);
    assert_eq!(stage.waiting().await, 0);
    let messages = stage.read();
    stage.assert_holds_once(&owed);
    for message in &messages {
        assert_eq!(message.headers["content-type"], "application/cloudevents+json");
        assert_eq!(message.payload["id"], message.headers["ce_id"]);
        assert_eq!(message.payload["subject"], message.key.as_str());
    }
    assert_eq!(stage.partitions(), 6, "a topic that is missing is made");

    assert_eq!(invoke(&app, handle, scheduled()).await.unwrap()["events_sent"], 0);
    assert_eq!(stage.read().len(), 1200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poke_is_enough() {
    let stage = Stage::new().await;
    let owed = stage.owe(&[TenantId::generate()], 0).await;
    let app = stage.relay();
    assert_eq!(invoke(&app, handle, poke()).await.unwrap(), json!({ "batchItemFailures": [] }));
    stage.assert_holds_once(&owed);
    // The producer of the first run serves the second.
    let begun = Instant::now();
    let more = stage.owe(&[TenantId::generate()], 1).await;
    invoke(&app, handle, poke()).await.unwrap();
    println!("a warm poke with one event: {:?}", begun.elapsed());
    stage.assert_holds_once(&[owed, more].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_relays_at_once_send_everything_once() {
    let stage = Stage::new().await;
    let tenants = [TenantId::generate(), TenantId::generate(), TenantId::generate()];
    let relays: Vec<App> = (0..4).map(|_| stage.relay()).collect();
    let mut owed = Vec::new();
    for round in 0..15 {
        owed.extend(stage.owe(&tenants, round).await);
        let answers = futures::future::join_all(relays.iter().map(|app| invoke(app, handle, scheduled()))).await;
        // Who finds another at work leaves it to that one, which looks again when it is done.
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(stage.waiting().await, 0, "round {round}");
    }
    stage.assert_holds_once(&owed);
}
