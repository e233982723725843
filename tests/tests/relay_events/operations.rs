//! Messages to the queue of `provision-tenant`, and the maintenance on the schedule.

use std::{collections::HashSet, time::Duration};

use relay_events::{App, handle};
use serde_json::{Value, json};
use shared::{
    error::{Dependency, Error},
    types::{OperationId, TenantId, TraceId},
    worker::invoke,
};
use tests::queues;

use crate::{poke, scheduled, stage::RelayStage};

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_sends_a_message_after_the_head_start_of_its_request() {
    let stage = RelayStage::new().await;
    let operation = stage.enqueue_provision().await;
    let app = stage.relay();
    invoke(&app, handle, scheduled()).await.unwrap();
    assert_eq!(queues::depth(&stage.world.provision_queue_url).await, 0);
    assert_eq!(stage.pending().await, 1);

    stage.make_due().await;
    let report = invoke(&app, handle, scheduled()).await.unwrap();
    assert_eq!(report["provisions_sent"], 1);
    let bodies = queues::drain(&stage.world.provision_queue_url).await;
    let message: Value = serde_json::from_str(&bodies[0]).unwrap();
    assert_eq!((bodies.len(), &message["operation_id"]), (1, &json!(operation)));
    assert!(message["trace_id"].as_str().unwrap().parse::<TraceId>().is_ok(), "{message}");
    assert_eq!(stage.pending().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_relays_share_the_messages_to_the_queue() {
    let stage = RelayStage::new().await;
    let mut operations = HashSet::new();
    for _ in 0..120 {
        operations.insert(stage.enqueue_provision().await);
    }
    stage.make_due().await;
    let relays: Vec<App> = (0..3).map(|_| stage.relay()).collect();
    futures::future::try_join_all(relays.iter().map(|app| invoke(app, handle, poke()))).await.unwrap();
    let bodies = queues::drain(&stage.world.provision_queue_url).await;
    assert_eq!(bodies.len(), 120);
    let sent: HashSet<OperationId> = bodies
        .iter()
        .map(|body| {
            serde_json::from_value(serde_json::from_str::<Value>(body).unwrap()["operation_id"].clone()).unwrap()
        })
        .collect();
    assert_eq!(sent, operations);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_queue_does_not_delay_events() {
    let stage = RelayStage::new().await;
    stage.enqueue_provision().await;
    stage.make_due().await;
    let enqueued = stage.enqueue(&[TenantId::generate()], 0).await;
    let app = stage.relay_with_queue(&format!("{}-missing", stage.world.provision_queue_url));

    let error = invoke(&app, handle, scheduled()).await.unwrap_err();

    assert!(matches!(error, Error::Unavailable { dependency: Dependency::Sqs, .. }), "{error:?}");
    stage.assert_topic_has_exactly(&enqueued);
    assert_eq!(stage.pending().await, 1);
    // The message is leased until the retry.
    assert!(invoke(&app, handle, scheduled()).await.is_ok());
    stage.make_due().await;
    invoke(&stage.relay(), handle, scheduled()).await.unwrap();
    assert_eq!(queues::depth(&stage.world.provision_queue_url).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_wakes_overdue_operations_and_deletes_old_responses() {
    let stage = RelayStage::new().await;
    let operation = stage.overdue_operation(Duration::from_secs(70)).await;
    stage.overdue_operation(Duration::from_secs(30)).await;
    stage.stored_response("25 hours").await;
    stage.stored_response("23 hours").await;
    let app = stage.relay();

    invoke(&app, handle, poke()).await.unwrap();
    assert_eq!(queues::depth(&stage.world.provision_queue_url).await, 0);
    assert_eq!(stage.world.count("SELECT FROM idempotency_keys").await, 2);

    let report = invoke(&app, handle, scheduled()).await.unwrap();
    assert_eq!(report["operations_woken"], 1);
    assert_eq!(report["responses_deleted"], 1);
    let bodies = queues::drain(&stage.world.provision_queue_url).await;
    let [body] = &bodies[..] else { panic!("{bodies:?}") };
    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["operation_id"], json!(operation));

    let report = invoke(&app, handle, scheduled()).await.unwrap();
    assert_eq!(report["operations_woken"], 0, "it was woken a moment ago");
}
