//! Unavailable stores, and events that Kafka refuses.

use std::time::Duration;

use relay_events::{Boundary, handle};
use serde_json::json;
use shared::{
    error::{Dependency, Error},
    types::TenantId,
    worker::invoke,
};
use tests::{
    proxy::{Mode, Proxy},
    queues, variable,
};
use tokio::time::{Instant, timeout};

use crate::{
    poke, scheduled,
    stage::{RelayStage, until},
    with_deadline,
};

#[tokio::test(flavor = "multi_thread")]
async fn without_kafka_events_stay_pending_and_the_run_ends_in_time() {
    let stage = RelayStage::new().await;
    let enqueued = stage.enqueue(&[TenantId::generate()], 0).await;
    let operation = stage.enqueue_provision().await;
    stage.make_due().await;
    let proxy = Proxy::to(&variable("KAFKA_BROKERS")).await;
    for mode in [Mode::Hang, Mode::Cut] {
        proxy.set(mode);
        let mut config = stage.kafka.clone();
        config.brokers.clone_from(&proxy.address);
        let app = stage.relay_to(config);

        let start = Instant::now();
        let error = invoke(&app, handle, with_deadline(scheduled(), Duration::from_secs(6))).await.unwrap_err();
        println!("{mode:?}: {} after {:?}", error.chain(), start.elapsed());
        assert!(start.elapsed() < Duration::from_secs(6), "{mode:?}: {:?}", start.elapsed());
        assert!(matches!(error, Error::Unavailable { dependency: Dependency::Kafka, .. }), "{mode:?}: {error:?}");
        let response =
            timeout(Duration::from_secs(6), invoke(&app, handle, with_deadline(poke(), Duration::from_secs(6)))).await;
        assert_eq!(response.unwrap().unwrap(), json!({ "batchItemFailures": [] }));
        assert_eq!(stage.pending().await, 1);
    }
    // The message to SQS did not wait for Kafka.
    let body = queues::drain(&stage.world.provision_queue_url).await;
    let [body] = &body[..] else { panic!("{body:?}") };
    assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap()["operation_id"], json!(operation));

    until("all events are sent", async || {
        invoke(&stage.relay(), handle, poke()).await.unwrap();
        stage.pending().await == 0
    })
    .await;
    stage.assert_topic_has_exactly(&enqueued);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_services_open_transaction_delays_events_without_duplicating_them() {
    let stage = RelayStage::new().await;
    let enqueued = stage.enqueue(&[TenantId::generate(), TenantId::generate()], 0).await;
    invoke(&stage.relay(), handle, poke()).await.unwrap();
    let foreign = stage.open_foreign_transaction().await;
    let more = stage.enqueue(&[TenantId::generate(), TenantId::generate()], 1).await;
    let (app, stop) = stage.stopping_relay();
    stop.at(Boundary::Committed);
    tokio::select! {
        result = invoke(&app, handle, scheduled()) => panic!("{result:?}"),
        () = stop.reached() => {}
    }
    drop(app);

    // The batch cannot be read yet, so it is unknown whether it was committed.
    let app = stage.relay();
    until("the relay reports that it could not read the topic", async || {
        match invoke(&app, handle, with_deadline(scheduled(), Duration::from_secs(6))).await {
            Ok(_) => false,
            Err(error) => matches!(error, Error::Unavailable { dependency: Dependency::Kafka, .. }),
        }
    })
    .await;
    assert_eq!(stage.pending().await, 2);
    foreign.abort().await;
    until("all events are sent", async || {
        invoke(&app, handle, poke()).await.unwrap();
        stage.pending().await == 0
    })
    .await;
    stage.assert_topic_has_exactly(&[enqueued, more].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recreated_topic_receives_the_pending_events() {
    let stage = RelayStage::new().await;
    let before = stage.enqueue(&[TenantId::generate(), TenantId::generate()], 0).await;
    let (app, stop) = stage.stopping_relay();
    invoke(&app, handle, poke()).await.unwrap();
    stage.assert_topic_has_exactly(&before);
    let enqueued = stage.enqueue(&[TenantId::generate(), TenantId::generate()], 1).await;
    stop.at(Boundary::Recorded);
    tokio::select! {
        result = invoke(&app, handle, scheduled()) => panic!("{result:?}"),
        () = stop.reached() => {}
    }
    drop(app);
    stage.delete_topic().await;
    let app = stage.relay();
    until("all events are sent", async || {
        invoke(&app, handle, poke()).await.unwrap();
        stage.pending().await == 0
    })
    .await;
    stage.assert_topic_has_exactly(&enqueued);
}

/// A refused event stays pending and holds back the later events of its tenant, and no others.
async fn check_refused(stage: RelayStage, bytes: usize) {
    let (other, large) = (TenantId::generate(), TenantId::generate());
    let mut enqueued = stage.enqueue(&[other, large], 0).await;
    let refused = stage.enqueue_large(large, bytes).await;
    for round in 1..30 {
        enqueued.extend(stage.enqueue(&[other], round).await);
    }
    let held_back = stage.enqueue(&[large], 1).await;
    let app = stage.relay();

    invoke(&app, handle, scheduled()).await.unwrap();

    stage.assert_topic_has_exactly(&enqueued);
    assert_eq!(stage.pending().await, 2);
    assert_eq!(stage.open_batches().await, 0);
    // Later runs continue to deliver the others.
    enqueued.extend(stage.enqueue(&[other], 30).await);
    invoke(&app, handle, poke()).await.unwrap();
    stage.assert_topic_has_exactly(&enqueued);

    stage.shrink(refused.id).await;
    invoke(&app, handle, poke()).await.unwrap();
    assert_eq!(stage.pending().await, 0);
    stage.assert_topic_has_exactly(&[enqueued, vec![refused], held_back].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_too_large_for_the_client_blocks_only_its_tenant() {
    check_refused(RelayStage::new().await, 1_200_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_broker_refuses_blocks_only_its_tenant() {
    let stage = RelayStage::new().await;
    stage.create_topic(&[("max.message.bytes", "4000")]).await;
    check_refused(stage, 6000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgresql_the_run_ends_in_time() {
    let stage = RelayStage::new().await;
    let enqueued = stage.enqueue(&[TenantId::generate()], 0).await;
    let url = variable("POSTGRES_URL");
    let server = url.rsplit_once('@').unwrap().1.split_once('/').unwrap().0;
    let proxy = Proxy::to(server).await;
    for mode in [Mode::Hang, Mode::Cut] {
        let app = stage.relay_through(&proxy, server);
        proxy.set(mode);
        let start = Instant::now();
        let error = invoke(&app, handle, with_deadline(scheduled(), Duration::from_secs(12))).await.unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(12), "{mode:?}: {:?}", start.elapsed());
        assert!(error.is_transient(), "{mode:?}: {error:?}");
    }
    proxy.set(Mode::Pass);
    invoke(&stage.relay_through(&proxy, server), handle, scheduled()).await.unwrap();
    stage.assert_topic_has_exactly(&enqueued);
}
