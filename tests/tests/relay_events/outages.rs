//! Stores that are away, and events that cannot be sent.

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
    stage::{Stage, until},
    within,
};

#[tokio::test(flavor = "multi_thread")]
async fn without_kafka_nothing_is_lost_and_the_answer_is_in_time() {
    let stage = Stage::new().await;
    let owed = stage.owe(&[TenantId::generate()], 0).await;
    let operation = stage.owe_provision().await;
    stage.make_due().await;
    let proxy = Proxy::to(&variable("KAFKA_BROKERS")).await;
    for mode in [Mode::Hang, Mode::Cut] {
        proxy.set(mode);
        let mut config = stage.kafka.clone();
        config.brokers.clone_from(&proxy.address);
        let app = stage.relay_to(config);

        let begun = Instant::now();
        let error = invoke(&app, handle, within(scheduled(), Duration::from_secs(6))).await.unwrap_err();
        println!("{mode:?}: {} after {:?}", error.chain(), begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(6), "{mode:?}: {:?}", begun.elapsed());
        assert!(matches!(error, Error::Unavailable { dependency: Dependency::Kafka, .. }), "{mode:?}: {error:?}");
        let answer =
            timeout(Duration::from_secs(6), invoke(&app, handle, within(poke(), Duration::from_secs(6)))).await;
        assert_eq!(answer.unwrap().unwrap(), json!({ "batchItemFailures": [] }));
        assert_eq!(stage.waiting().await, 1);
    }
    // SQS was not kept waiting for Kafka.
    let body = queues::drain(&stage.world.provision_queue_url).await;
    assert_eq!(body, [json!({ "operation_id": operation }).to_string()]);

    until("all is sent", async || {
        invoke(&stage.relay(), handle, poke()).await.unwrap();
        stage.waiting().await == 0
    })
    .await;
    stage.assert_holds_once(&owed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_someone_else_delays_and_does_not_repeat() {
    let stage = Stage::new().await;
    let owed = stage.owe(&[TenantId::generate(), TenantId::generate()], 0).await;
    invoke(&stage.relay(), handle, poke()).await.unwrap();
    let stranger = stage.open_foreign_transaction().await;
    let more = stage.owe(&[TenantId::generate(), TenantId::generate()], 1).await;
    let (app, stop) = stage.stopping_relay();
    stop.at(Boundary::Committed);
    tokio::select! {
        result = invoke(&app, handle, scheduled()) => panic!("{result:?}"),
        () = stop.reached() => {}
    }
    drop(app);

    // What was sent cannot be read yet, so nobody can say whether it was.
    let app = stage.relay();
    until("it is found that this cannot be known", async || {
        match invoke(&app, handle, within(scheduled(), Duration::from_secs(6))).await {
            Ok(_) => false,
            Err(error) => matches!(error, Error::Unavailable { dependency: Dependency::Kafka, .. }),
        }
    })
    .await;
    assert_eq!(stage.waiting().await, 2);
    stranger.abort().await;
    until("all is sent", async || {
        invoke(&app, handle, poke()).await.unwrap();
        stage.waiting().await == 0
    })
    .await;
    stage.assert_holds_once(&[owed, more].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_was_made_anew_gets_what_is_owed() {
    let stage = Stage::new().await;
    let before = stage.owe(&[TenantId::generate(), TenantId::generate()], 0).await;
    let (app, stop) = stage.stopping_relay();
    invoke(&app, handle, poke()).await.unwrap();
    stage.assert_holds_once(&before);
    let owed = stage.owe(&[TenantId::generate(), TenantId::generate()], 1).await;
    stop.at(Boundary::Recorded);
    tokio::select! {
        result = invoke(&app, handle, scheduled()) => panic!("{result:?}"),
        () = stop.reached() => {}
    }
    drop(app);
    stage.delete_topic().await;
    let app = stage.relay();
    until("all is sent", async || {
        let _until_the_topic_is_gone = invoke(&app, handle, poke()).await.unwrap();
        stage.waiting().await == 0
    })
    .await;
    stage.assert_holds_once(&owed);
}

/// An event that is refused, for its size, stays; so do the later ones of its tenant; nobody else's do.
async fn refuses(stage: Stage, bytes: usize) {
    let (other, large) = (TenantId::generate(), TenantId::generate());
    let mut owed = stage.owe(&[other, large], 0).await;
    let refused = stage.owe_large(large, bytes).await;
    for round in 1..30 {
        owed.extend(stage.owe(&[other], round).await);
    }
    let held = stage.owe(&[large], 1).await;
    let app = stage.relay();

    invoke(&app, handle, scheduled()).await.unwrap();

    stage.assert_holds_once(&owed);
    assert_eq!(stage.waiting().await, 2);
    assert_eq!(stage.open_batches().await, 0);
    // Later runs go on for the others.
    owed.extend(stage.owe(&[other], 30).await);
    invoke(&app, handle, poke()).await.unwrap();
    stage.assert_holds_once(&owed);

    stage.make_small(refused.id).await;
    invoke(&app, handle, poke()).await.unwrap();
    assert_eq!(stage.waiting().await, 0);
    stage.assert_holds_once(&[owed, vec![refused], held].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_too_large_to_send_blocks_its_tenant_alone() {
    refuses(Stage::new().await, 1_200_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_broker_refuses_blocks_its_tenant_alone() {
    let stage = Stage::new().await;
    stage.make_topic(&[("max.message.bytes", "4000")]).await;
    refuses(stage, 6000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgresql_the_answer_is_in_time() {
    let stage = Stage::new().await;
    let owed = stage.owe(&[TenantId::generate()], 0).await;
    let url = variable("POSTGRES_URL");
    let server = url.rsplit_once('@').unwrap().1.split_once('/').unwrap().0;
    let proxy = Proxy::to(server).await;
    for mode in [Mode::Hang, Mode::Cut] {
        let app = stage.relay_through(&proxy, server);
        proxy.set(mode);
        let begun = Instant::now();
        let error = invoke(&app, handle, within(scheduled(), Duration::from_secs(12))).await.unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(12), "{mode:?}: {:?}", begun.elapsed());
        assert!(error.is_transient(), "{mode:?}: {error:?}");
    }
    proxy.set(Mode::Pass);
    invoke(&stage.relay_through(&proxy, server), handle, scheduled()).await.unwrap();
    stage.assert_holds_once(&owed);
}
