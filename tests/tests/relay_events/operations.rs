//! Messages to the queues: operations, and what the schedule makes up for.

use std::{collections::HashSet, time::Duration};

use relay_events::{App, handle};
use serde_json::{Value, json};
use shared::{
    error::{Dependency, Error},
    types::{OperationId, TenantId},
    worker::invoke,
};
use tests::queues;

use crate::{poke, scheduled, stage::Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_the_queue_is_sent_when_its_head_start_is_over() {
    let stage = Stage::new().await;
    let operation = stage.owe_provision().await;
    let app = stage.relay();
    invoke(&app, handle, scheduled()).await.unwrap();
    assert_eq!(queues::depth(&stage.world.provision_queue_url).await, 0);
    assert_eq!(stage.waiting().await, 1);

    stage.make_due().await;
    let report = invoke(&app, handle, scheduled()).await.unwrap();
    assert_eq!(report["provisions_sent"], 1);
    assert_eq!(
        queues::drain(&stage.world.provision_queue_url).await,
        [json!({ "operation_id": operation }).to_string()]
    );
    assert_eq!(stage.waiting().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_to_the_queue_are_sent_by_relays_that_share_them() {
    let stage = Stage::new().await;
    let mut operations = HashSet::new();
    for _ in 0..120 {
        operations.insert(stage.owe_provision().await);
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
async fn a_queue_that_fails_holds_up_no_event() {
    let stage = Stage::new().await;
    stage.owe_provision().await;
    stage.make_due().await;
    let owed = stage.owe(&[TenantId::generate()], 0).await;
    let app = stage.relay_with_queue(&format!("{}-that-is-not-there", stage.world.provision_queue_url));

    let error = invoke(&app, handle, scheduled()).await.unwrap_err();

    assert!(matches!(error, Error::Unavailable { dependency: Dependency::Sqs, .. }), "{error:?}");
    stage.assert_holds_once(&owed);
    assert_eq!(stage.waiting().await, 1);
    // It is tried again, not at once.
    assert!(invoke(&app, handle, scheduled()).await.is_ok());
    stage.make_due().await;
    invoke(&stage.relay(), handle, scheduled()).await.unwrap();
    assert_eq!(queues::depth(&stage.world.provision_queue_url).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_sends_lost_operations_again_and_clears_old_responses() {
    let stage = Stage::new().await;
    let operation = stage.stuck_operation(Duration::from_mins(8)).await;
    stage.stuck_operation(Duration::from_mins(6)).await;
    stage.stored_response("25 hours").await;
    stage.stored_response("23 hours").await;
    let app = stage.relay();

    invoke(&app, handle, poke()).await.unwrap();
    assert_eq!(queues::depth(&stage.world.provision_queue_url).await, 0);
    assert_eq!(stage.world.count("SELECT FROM idempotency_keys").await, 2);

    let report = invoke(&app, handle, scheduled()).await.unwrap();
    assert_eq!(report["operations_requeued"], 1);
    assert_eq!(report["responses_deleted"], 1);
    assert_eq!(
        queues::drain(&stage.world.provision_queue_url).await,
        [json!({ "operation_id": operation }).to_string()]
    );
}
