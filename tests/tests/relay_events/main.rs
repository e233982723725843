//! The relay against real PostgreSQL, Kafka and SQS: what is owed arrives, events once and in order, whatever dies when.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod stage;

use std::{collections::HashSet, time::Duration};

use lambda_runtime::{Context, LambdaEvent};
use relay_events::{App, Boundary, handle};
use serde_json::{Value, json};
use shared::{
    domain::{OperationId, TenantId},
    error::{Dependency, Error},
    store::outbox,
};
use stage::{Stage, until};
use tests::{
    proxy::{Mode, Proxy},
    queues, variable,
};
use tokio::time::{Instant, timeout};

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

    let report = handle(&app, scheduled()).await.unwrap();

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

    assert_eq!(handle(&app, scheduled()).await.unwrap()["events_sent"], 0);
    assert_eq!(stage.read().len(), 1200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poke_is_enough() {
    let stage = Stage::new().await;
    let owed = stage.owe(&[TenantId::generate()], 0).await;
    let app = stage.relay();
    assert_eq!(handle(&app, poke()).await.unwrap(), json!({ "batchItemFailures": [] }));
    stage.assert_holds_once(&owed);
    // The producer of the first run serves the second.
    let begun = Instant::now();
    let more = stage.owe(&[TenantId::generate()], 1).await;
    handle(&app, poke()).await.unwrap();
    println!("a warm poke with one event: {:?}", begun.elapsed());
    stage.assert_holds_once(&[owed, more].concat());
}

/// Dies at a boundary; then another process runs, or the same one again.
async fn dies_at(boundary: Boundary, another_process: bool) {
    let stage = Stage::new().await;
    let tenants = [TenantId::generate(), TenantId::generate()];
    let mut owed = stage.owe(&tenants, 0).await;
    // There is something before it on the topic, and a producer that is warm.
    let (app, stop) = stage.stopping_relay();
    handle(&app, poke()).await.unwrap();
    for round in 1..20 {
        owed.extend(stage.owe(&tenants, round).await);
    }
    stop.at(boundary);
    tokio::select! {
        result = handle(&app, scheduled()) => panic!("it should stop at {boundary:?}, not end with {result:?}"),
        () = stop.reached() => {}
    }
    stop.nowhere();
    let before = stage.read().len();
    assert_eq!(before, if boundary == Boundary::Committed { 40 } else { 2 }, "{boundary:?}");
    assert_eq!(stage.waiting().await, 38, "{boundary:?}");

    let app = if another_process { stage.relay() } else { app };
    owed.extend(stage.owe(&tenants, 20).await);
    until("all is sent", async || {
        handle(&app, poke()).await.unwrap();
        stage.waiting().await == 0
    })
    .await;
    stage.assert_holds_once(&owed);
    assert_eq!(stage.open_batches().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_dies_before_it_sends_is_made_up_for() {
    dies_at(Boundary::Recorded, true).await;
    dies_at(Boundary::Recorded, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_dies_before_the_commit_is_made_up_for() {
    dies_at(Boundary::Sent, true).await;
    dies_at(Boundary::Sent, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_dies_after_the_commit_is_not_repeated() {
    dies_at(Boundary::Committed, true).await;
    dies_at(Boundary::Committed, false).await;
}

/// Freezes at a boundary for so long that it loses its session, thaws when another has done its work, and goes on.
async fn thaws_at(boundary: Boundary) {
    let stage = Stage::new().await;
    let tenants = [TenantId::generate(), TenantId::generate()];
    let mut owed = stage.owe(&tenants, 0).await;
    let (frozen, stop) = stage.stopping_relay();
    stop.at(boundary);
    let run = tokio::spawn(async move {
        let result = handle(&frozen, scheduled()).await;
        (frozen, result)
    });
    stop.reached().await;

    let other = stage.relay();
    handle(&other, poke()).await.unwrap();
    assert_eq!(stage.waiting().await, 2, "while its session lives nobody else sends");
    stage.end_session_with_lock().await;
    until("another sends all", async || {
        handle(&other, poke()).await.unwrap();
        stage.waiting().await == 0
    })
    .await;
    stage.assert_holds_once(&owed);

    owed.extend(stage.owe(&tenants, 1).await);
    stop.nowhere();
    let (thawed, result) = run.await.unwrap();
    assert!(result.unwrap_err().is_transient(), "{boundary:?}");
    for app in [&thawed, &other, &thawed] {
        owed.extend(stage.owe(&tenants, 2).await);
        handle(app, scheduled()).await.unwrap();
        assert_eq!(stage.waiting().await, 0, "{boundary:?}");
    }
    stage.assert_holds_once(&owed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_thaws_before_it_sends_cannot_send() {
    thaws_at(Boundary::Recorded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_thaws_before_the_commit_cannot_commit() {
    thaws_at(Boundary::Sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_thaws_after_the_commit_does_no_harm() {
    thaws_at(Boundary::Committed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_relays_at_once_send_everything_once() {
    let stage = Stage::new().await;
    let tenants = [TenantId::generate(), TenantId::generate(), TenantId::generate()];
    let relays: Vec<App> = (0..4).map(|_| stage.relay()).collect();
    let mut owed = Vec::new();
    for round in 0..15 {
        owed.extend(stage.owe(&tenants, round).await);
        let answers = futures::future::join_all(relays.iter().map(|app| handle(app, scheduled()))).await;
        // Who finds another at work leaves it to that one, which looks again when it is done.
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(stage.waiting().await, 0, "round {round}");
    }
    stage.assert_holds_once(&owed);
}

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
        let error = handle(&app, within(scheduled(), Duration::from_secs(6))).await.unwrap_err();
        println!("{mode:?}: {} after {:?}", error.chain(), begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(6), "{mode:?}: {:?}", begun.elapsed());
        assert!(matches!(error, Error::Unavailable { dependency: Dependency::Kafka, .. }), "{mode:?}: {error:?}");
        let answer = timeout(Duration::from_secs(6), handle(&app, within(poke(), Duration::from_secs(6)))).await;
        assert_eq!(answer.unwrap().unwrap(), json!({ "batchItemFailures": [] }));
        assert_eq!(stage.waiting().await, 1);
    }
    // SQS was not kept waiting for Kafka.
    let body = queues::drain(&stage.world.provision_queue_url).await;
    assert_eq!(body, [json!({ "operation_id": operation }).to_string()]);

    until("all is sent", async || {
        handle(&stage.relay(), poke()).await.unwrap();
        stage.waiting().await == 0
    })
    .await;
    stage.assert_holds_once(&owed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_someone_else_delays_and_does_not_repeat() {
    let stage = Stage::new().await;
    let owed = stage.owe(&[TenantId::generate(), TenantId::generate()], 0).await;
    handle(&stage.relay(), poke()).await.unwrap();
    let stranger = stage.open_foreign_transaction().await;
    let more = stage.owe(&[TenantId::generate(), TenantId::generate()], 1).await;
    let (app, stop) = stage.stopping_relay();
    stop.at(Boundary::Committed);
    tokio::select! {
        result = handle(&app, scheduled()) => panic!("{result:?}"),
        () = stop.reached() => {}
    }
    drop(app);

    // What was sent cannot be read yet, so nobody can say whether it was.
    let app = stage.relay();
    until("it is found that this cannot be known", async || {
        match handle(&app, within(scheduled(), Duration::from_secs(6))).await {
            Ok(_) => false,
            Err(error) => matches!(error, Error::Unavailable { dependency: Dependency::Kafka, .. }),
        }
    })
    .await;
    assert_eq!(stage.waiting().await, 2);
    stranger.abort().await;
    until("all is sent", async || {
        handle(&app, poke()).await.unwrap();
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
    handle(&app, poke()).await.unwrap();
    stage.assert_holds_once(&before);
    let owed = stage.owe(&[TenantId::generate(), TenantId::generate()], 1).await;
    stop.at(Boundary::Recorded);
    tokio::select! {
        result = handle(&app, scheduled()) => panic!("{result:?}"),
        () = stop.reached() => {}
    }
    drop(app);
    stage.delete_topic().await;
    let app = stage.relay();
    until("all is sent", async || {
        let _until_the_topic_is_gone = handle(&app, poke()).await.unwrap();
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

    handle(&app, scheduled()).await.unwrap();

    stage.assert_holds_once(&owed);
    assert_eq!(stage.waiting().await, 2);
    assert_eq!(stage.open_batches().await, 0);
    // Later runs go on for the others.
    owed.extend(stage.owe(&[other], 30).await);
    handle(&app, poke()).await.unwrap();
    stage.assert_holds_once(&owed);

    stage.make_small(refused.id).await;
    handle(&app, poke()).await.unwrap();
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
async fn a_message_to_the_queue_is_sent_when_its_head_start_is_over() {
    let stage = Stage::new().await;
    let operation = stage.owe_provision().await;
    let app = stage.relay();
    handle(&app, scheduled()).await.unwrap();
    assert_eq!(queues::depth(&stage.world.provision_queue_url).await, 0);
    assert_eq!(stage.waiting().await, 1);

    stage.make_due().await;
    let report = handle(&app, scheduled()).await.unwrap();
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
    futures::future::try_join_all(relays.iter().map(|app| handle(app, poke()))).await.unwrap();
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

    let error = handle(&app, scheduled()).await.unwrap_err();

    assert!(matches!(error, Error::Unavailable { dependency: Dependency::Sqs, .. }), "{error:?}");
    stage.assert_holds_once(&owed);
    assert_eq!(stage.waiting().await, 1);
    // It is tried again, not at once.
    assert!(handle(&app, scheduled()).await.is_ok());
    stage.make_due().await;
    handle(&stage.relay(), scheduled()).await.unwrap();
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

    handle(&app, poke()).await.unwrap();
    assert_eq!(queues::depth(&stage.world.provision_queue_url).await, 0);
    assert_eq!(stage.world.count("SELECT FROM idempotency_keys").await, 2);

    let report = handle(&app, scheduled()).await.unwrap();
    assert_eq!(report["operations_requeued"], 1);
    assert_eq!(report["responses_deleted"], 1);
    assert_eq!(
        queues::drain(&stage.world.provision_queue_url).await,
        [json!({ "operation_id": operation }).to_string()]
    );
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
        let error = handle(&app, within(scheduled(), Duration::from_secs(12))).await.unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(12), "{mode:?}: {:?}", begun.elapsed());
        assert!(error.is_transient(), "{mode:?}: {error:?}");
    }
    proxy.set(Mode::Pass);
    handle(&stage.relay_through(&proxy, server), scheduled()).await.unwrap();
    stage.assert_holds_once(&owed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_a_batch_goes_with_its_rows() {
    let stage = Stage::new().await;
    stage.owe(&[TenantId::generate()], 0).await;
    handle(&stage.relay(), scheduled()).await.unwrap();
    let connection = stage.world.api_pool().get().await.unwrap();
    let checkpoint = outbox::find_checkpoint(&connection, &stage.kafka.topic).await.unwrap().unwrap();
    assert_eq!(checkpoint.open, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_silent_loses_the_right_to_send() {
    let stage = Stage::new().await;
    let (one, other) = (stage.world.api_pool(), stage.world.api_pool());
    let acquire = async |pool: &shared::clients::postgres::Postgres, idle| {
        outbox::EventsLock::try_acquire(pool.get().await.unwrap(), idle).await.unwrap()
    };
    let lock = acquire(&one, Duration::from_millis(500)).await.unwrap();
    assert!(acquire(&other, Duration::from_secs(5)).await.is_none());
    tokio::time::sleep(Duration::from_millis(900)).await;
    let next = acquire(&other, Duration::from_millis(500)).await.unwrap();
    assert!(outbox::abandon_batch(lock.connection(), "topic").await.is_err(), "it can write nothing any more");

    // Given back, the right is free at once, and the session is like any other of the pool: it may be silent.
    next.release().await.unwrap();
    acquire(&one, Duration::from_secs(5)).await.unwrap().release().await.unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    acquire(&other, Duration::from_secs(5)).await.unwrap();
}
