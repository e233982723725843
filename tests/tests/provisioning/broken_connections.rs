//! Connections that break in ways that the fault matrix has found. Each fault passes, so that no tenant fails for it.

use std::{sync::Arc, time::Duration};

use shared::{
    error::Error,
    operations::{OperationStatus, store::breakers::StoreKind},
    provisioning::OperationOutcome,
};
use tests::{
    proxy::{Action, At, Direction, Held, Mode},
    worker::{WorkerProxies, WorkerStore, worker},
};
use tokio::time::Instant;

use crate::stage::{ProvisioningStage, minute};

/// A request, what happens to its connection then, and how many seconds the worker has.
const BREAKS: [(WorkerStore, At, Action, u64); 5] = [
    // The first statement of a new connection.
    (WorkerStore::Tenants(StoreKind::Postgresql), At::Text("SET statement_timeout"), Action::CloseBefore, 60),
    (WorkerStore::Platform, At::Text("SET statement_timeout"), Action::CloseBefore, 60),
    // One of the first connection's, which takes the lease.
    (WorkerStore::Platform, At::Connection { connection: 1, nth: 3 }, Action::CloseAfter, 60),
    // The server waits for the next statement of a transaction until its patience ends.
    (
        WorkerStore::Platform,
        At::Text("FROM tenants WHERE postgres_cluster IS NOT NULL"),
        Action::Lose(Direction::Requests),
        60,
    ),
    // Without a lease.
    (WorkerStore::Platform, At::Text("fence_token + 1"), Action::Hang(Held::Request), 3),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_fails_no_tenant() {
    let stage = ProvisioningStage::new().await;
    for (store, at, action, seconds) in BREAKS {
        let text = format!("{store:?} {at:?}");
        let proxies = Arc::new(WorkerProxies::new(&stage.world).await);
        let worker = worker(&stage.world, &proxies.ports(), None);
        let requested = stage.request().await;
        proxies.of(store).plan(at, action);
        let begun = Instant::now();
        let outcome = worker.run(requested.operation, begun + Duration::from_secs(seconds)).await;
        assert!(outcome.as_ref().err().is_none_or(Error::is_transient), "{text}: {outcome:?}");
        println!("{text}: {outcome:?} after {:?}", begun.elapsed());
        assert!(!proxies.of(store).disarm(), "{text}");
        assert!(!matches!(outcome, Ok(OperationOutcome::Finished { status: OperationStatus::Failed, .. })), "{text}");
        assert!(begun.elapsed() < Duration::from_secs(seconds), "{text}: it ends before its deadline");
        proxies.of(store).set(Mode::Pass);
        proxies.of(store).close_all();
        // The pool may not have noticed yet that a connection is closed. Then the queue delivers the message again.
        let mut attempts = 0;
        let outcome = loop {
            stage.expire(requested.operation).await;
            attempts += 1;
            match worker.run(requested.operation, minute()).await {
                Err(error) if error.is_transient() && attempts < 3 => println!("{text}: {}", error.chain()),
                outcome => break outcome,
            }
        };
        let active = Ok(OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });
        assert_eq!(outcome.map_err(|error| error.chain()), active, "{text}");
        stage.assert_active(requested.tenant).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_or_fragmented_network_delays_a_tenant_and_one_that_loses_answers_fails_none() {
    let stage = ProvisioningStage::new().await;
    for mode in [Mode::Fragment, Mode::Delay(Duration::from_millis(5)), Mode::Lose(Direction::Answers)] {
        let proxies = Arc::new(WorkerProxies::new(&stage.world).await);
        let worker = worker(&stage.world, &proxies.ports(), None);
        let requested = stage.request().await;
        proxies.all().for_each(|(_, proxy)| proxy.set(mode));
        let outcome = worker.run(requested.operation, minute()).await;
        println!("{mode:?}: {outcome:?}");
        let is_slow = !matches!(mode, Mode::Lose(_));
        let active = OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true };
        assert_eq!(outcome.as_ref().is_ok_and(|outcome| *outcome == active), is_slow, "{mode:?}: {outcome:?}");
        proxies.all().for_each(|(_, proxy)| {
            proxy.set(Mode::Pass);
            proxy.close_all();
        });
        if !is_slow {
            stage.expire(requested.operation).await;
            assert_eq!(worker.run(requested.operation, minute()).await.unwrap(), active, "{mode:?}");
        }
        stage.assert_active(requested.tenant).await;
    }
}
