//! Relays that are killed, whose invocation is abandoned, or that freeze and continue later, at every boundary.

use std::time::Duration;

use relay_events::{App, Boundary, handle};
use shared::{clients::postgres::Postgres, events, types::TenantId, worker::invoke};

use crate::{
    poke, scheduled,
    stage::{EnqueuedEvent, RelayStage, until},
};

/// A relay process is killed at a boundary. Then another process delivers the rest exactly once.
async fn check_kill_at(boundary: Boundary) {
    let stage = RelayStage::new().await;
    let (tenants, mut enqueued) = enqueue_after_first_delivery(&stage, &stage.relay()).await;
    stage.kill_relay_at(boundary).await;
    assert_delivered_until(&stage, boundary).await;
    enqueued.extend(stage.enqueue(&tenants, 20).await);
    assert_relay_delivers_exactly(&stage, &stage.relay(), &enqueued).await;
}

/// An invocation is abandoned at a boundary, as when its time is up. Then the same process, which has kept its producer,
/// delivers the rest exactly once.
async fn check_abandonment_at(boundary: Boundary) {
    let stage = RelayStage::new().await;
    let (app, stop) = stage.stopping_relay();
    let (tenants, mut enqueued) = enqueue_after_first_delivery(&stage, &app).await;
    stop.at(boundary);
    tokio::select! {
        result = invoke(&app, handle, scheduled()) => panic!("expected a stop at {boundary:?}, got {result:?}"),
        () = stop.reached() => {}
    }
    stop.resume();
    assert_delivered_until(&stage, boundary).await;
    enqueued.extend(stage.enqueue(&tenants, 20).await);
    assert_relay_delivers_exactly(&stage, &app, &enqueued).await;
}

/// Has a relay deliver two events, so that the topic exists and the relay has a producer. Then enqueues 38 more.
async fn enqueue_after_first_delivery(stage: &RelayStage, app: &App) -> ([TenantId; 2], Vec<EnqueuedEvent>) {
    let tenants = [TenantId::generate(), TenantId::generate()];
    let mut enqueued = stage.enqueue(&tenants, 0).await;
    invoke(app, handle, poke()).await.unwrap();
    for round in 1..20 {
        enqueued.extend(stage.enqueue(&tenants, round).await);
    }
    (tenants, enqueued)
}

/// The pending events are on the topic if the relay came as far as the commit, and none of their rows is deleted.
async fn assert_delivered_until(stage: &RelayStage, boundary: Boundary) {
    assert_eq!(stage.read().len(), if boundary == Boundary::Committed { 40 } else { 2 }, "{boundary:?}");
    assert_eq!(stage.pending().await, 38, "{boundary:?}");
}

async fn assert_relay_delivers_exactly(stage: &RelayStage, app: &App, enqueued: &[EnqueuedEvent]) {
    until("all events are sent", async || {
        invoke(app, handle, poke()).await.unwrap();
        stage.pending().await == 0
    })
    .await;
    stage.assert_topic_has_exactly(enqueued);
    assert_eq!(stage.open_batches().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_sent_after_a_relay_was_killed_before_sending_them() {
    check_kill_at(Boundary::Recorded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_sent_after_a_relay_was_killed_before_the_commit() {
    check_kill_at(Boundary::Sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_not_sent_again_after_a_relay_was_killed_after_the_commit() {
    check_kill_at(Boundary::Committed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_goes_on_after_an_invocation_that_was_abandoned_at_any_boundary() {
    for boundary in [Boundary::Recorded, Boundary::Sent, Boundary::Committed] {
        check_abandonment_at(boundary).await;
    }
}

/// A relay freezes at a boundary until its session ends, and continues after another relay has delivered its events.
async fn check_freeze_at(boundary: Boundary) {
    let stage = RelayStage::new().await;
    let tenants = [TenantId::generate(), TenantId::generate()];
    let mut enqueued = stage.enqueue(&tenants, 0).await;
    let (frozen, stop) = stage.stopping_relay();
    stop.at(boundary);
    let run = tokio::spawn(async move {
        let result = invoke(&frozen, handle, scheduled()).await;
        (frozen, result)
    });
    stop.reached().await;

    let other = stage.relay();
    invoke(&other, handle, poke()).await.unwrap();
    assert_eq!(stage.pending().await, 2, "no other relay sends while the session exists");
    stage.end_session_with_lock().await;
    until("the other relay sends all events", async || {
        invoke(&other, handle, poke()).await.unwrap();
        stage.pending().await == 0
    })
    .await;
    stage.assert_topic_has_exactly(&enqueued);

    enqueued.extend(stage.enqueue(&tenants, 1).await);
    stop.resume();
    let (continued, result) = run.await.unwrap();
    assert!(result.unwrap_err().is_transient(), "{boundary:?}");
    for app in [&continued, &other, &continued] {
        enqueued.extend(stage.enqueue(&tenants, 2).await);
        invoke(app, handle, scheduled()).await.unwrap();
        assert_eq!(stage.pending().await, 0, "{boundary:?}");
    }
    stage.assert_topic_has_exactly(&enqueued);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_froze_before_sending_cannot_send() {
    check_freeze_at(Boundary::Recorded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_froze_before_the_commit_cannot_commit() {
    check_freeze_at(Boundary::Sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_froze_after_the_commit_sends_nothing_twice() {
    check_freeze_at(Boundary::Committed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_a_batch_is_deleted_with_its_rows() {
    let stage = RelayStage::new().await;
    stage.enqueue(&[TenantId::generate()], 0).await;
    invoke(&stage.relay(), handle, scheduled()).await.unwrap();
    let connection = stage.world.api_pool().get().await.unwrap();
    let checkpoint = events::store::find_checkpoint(&connection, &stage.kafka.topic).await.unwrap().unwrap();
    assert_eq!(checkpoint.open, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_loses_the_lock() {
    let stage = RelayStage::new().await;
    let (one, other) = (stage.world.api_pool(), stage.world.api_pool());
    let acquire = async |pool: &Postgres, idle_timeout| {
        events::store::EventsLock::try_acquire(pool.get().await.unwrap(), idle_timeout).await.unwrap()
    };
    let lock = acquire(&one, Duration::from_millis(500)).await.unwrap();
    assert!(acquire(&other, Duration::from_secs(5)).await.is_none());
    tokio::time::sleep(Duration::from_millis(900)).await;
    let next = acquire(&other, Duration::from_millis(500)).await.unwrap();
    assert!(
        events::store::abandon_batch(lock.connection(), "topic").await.is_err(),
        "the lost session can write nothing"
    );

    // After a release the lock is free at once, and the session is in the pool again, without the idle timeout.
    next.release().await.unwrap();
    acquire(&one, Duration::from_secs(5)).await.unwrap().release().await.unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    acquire(&other, Duration::from_secs(5)).await.unwrap();
}
