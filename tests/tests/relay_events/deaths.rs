//! Relays that die, freeze and thaw, at every boundary.

use std::time::Duration;

use relay_events::{Boundary, handle};
use shared::{events, types::TenantId, worker::invoke};

use crate::{
    poke, scheduled,
    stage::{Stage, until},
};

/// Dies at a boundary; then another process runs, or the same one again.
async fn dies_at(boundary: Boundary, another_process: bool) {
    let stage = Stage::new().await;
    let tenants = [TenantId::generate(), TenantId::generate()];
    let mut owed = stage.owe(&tenants, 0).await;
    // There is something before it on the topic, and a producer that is warm.
    let (app, stop) = stage.stopping_relay();
    invoke(&app, handle, poke()).await.unwrap();
    for round in 1..20 {
        owed.extend(stage.owe(&tenants, round).await);
    }
    stop.at(boundary);
    tokio::select! {
        result = invoke(&app, handle, scheduled()) => panic!("it should stop at {boundary:?}, not end with {result:?}"),
        () = stop.reached() => {}
    }
    stop.nowhere();
    let before = stage.read().len();
    assert_eq!(before, if boundary == Boundary::Committed { 40 } else { 2 }, "{boundary:?}");
    assert_eq!(stage.waiting().await, 38, "{boundary:?}");

    let app = if another_process { stage.relay() } else { app };
    owed.extend(stage.owe(&tenants, 20).await);
    until("all is sent", async || {
        invoke(&app, handle, poke()).await.unwrap();
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
        let result = invoke(&frozen, handle, scheduled()).await;
        (frozen, result)
    });
    stop.reached().await;

    let other = stage.relay();
    invoke(&other, handle, poke()).await.unwrap();
    assert_eq!(stage.waiting().await, 2, "while its session lives nobody else sends");
    stage.end_session_with_lock().await;
    until("another sends all", async || {
        invoke(&other, handle, poke()).await.unwrap();
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
        invoke(app, handle, scheduled()).await.unwrap();
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
async fn the_record_of_a_batch_goes_with_its_rows() {
    let stage = Stage::new().await;
    stage.owe(&[TenantId::generate()], 0).await;
    invoke(&stage.relay(), handle, scheduled()).await.unwrap();
    let connection = stage.world.api_pool().get().await.unwrap();
    let checkpoint = events::store::find_checkpoint(&connection, &stage.kafka.topic).await.unwrap().unwrap();
    assert_eq!(checkpoint.open, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_silent_loses_the_right_to_send() {
    let stage = Stage::new().await;
    let (one, other) = (stage.world.api_pool(), stage.world.api_pool());
    let acquire = async |pool: &shared::clients::postgres::Postgres, idle| {
        events::store::EventsLock::try_acquire(pool.get().await.unwrap(), idle).await.unwrap()
    };
    let lock = acquire(&one, Duration::from_millis(500)).await.unwrap();
    assert!(acquire(&other, Duration::from_secs(5)).await.is_none());
    tokio::time::sleep(Duration::from_millis(900)).await;
    let next = acquire(&other, Duration::from_millis(500)).await.unwrap();
    assert!(events::store::abandon_batch(lock.connection(), "topic").await.is_err(), "it can write nothing any more");

    // Given back, the right is free at once, and the session is like any other of the pool: it may be silent.
    next.release().await.unwrap();
    acquire(&one, Duration::from_secs(5)).await.unwrap().release().await.unwrap();
    tokio::time::sleep(Duration::from_millis(900)).await;
    acquire(&other, Duration::from_secs(5)).await.unwrap();
}
