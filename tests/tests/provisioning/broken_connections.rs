//! Connections that break in ways that the fault matrix has found. Each fault passes, so that no tenant fails for it.

use std::{sync::Arc, time::Duration};

use shared::{
    operations::{OperationStatus, store::breakers::StoreKind},
    provisioning::OperationOutcome,
};
use tests::{
    proxy::{Action, At, Direction, Held, Mode},
    worker::{WorkerProxies, WorkerStore, worker},
};
use tokio::time::Instant;

use crate::stage::{ProvisioningStage, minute};

/// Text in a request, what happens to the connection then, and how many seconds the worker has.
const BREAKS: [(WorkerStore, &str, Action, u64); 4] = [
    // The first statement of a new connection.
    (WorkerStore::Tenants(StoreKind::Postgresql), "SET statement_timeout", Action::CloseBefore, 60),
    (WorkerStore::Platform, "SET statement_timeout", Action::CloseBefore, 60),
    // The server waits for the next statement of a transaction until its patience ends.
    (WorkerStore::Platform, "FROM tenants WHERE postgres_cluster IS NOT NULL", Action::Lose(Direction::Requests), 60),
    // Without a lease.
    (WorkerStore::Platform, "fence_token + 1", Action::Hang(Held::Request), 3),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_fails_no_tenant() {
    let stage = ProvisioningStage::new().await;
    for (store, text, action, seconds) in BREAKS {
        let proxies = Arc::new(WorkerProxies::new(&stage.world).await);
        let worker = worker(&stage.world, &proxies.ports(), None);
        let requested = stage.request().await;
        proxies.of(store).plan(At::Text(text), action);
        let begun = Instant::now();
        let outcome = worker.run(requested.operation, begun + Duration::from_secs(seconds)).await;
        println!("{text}: {outcome:?} after {:?}", begun.elapsed());
        assert!(!proxies.of(store).disarm(), "{text}");
        assert!(!matches!(outcome, Ok(OperationOutcome::Finished { status: OperationStatus::Failed, .. })), "{text}");
        assert!(begun.elapsed() < Duration::from_secs(seconds), "{text}: it ends before its deadline");
        proxies.of(store).set(Mode::Pass);
        proxies.of(store).close_all();
        stage.expire(requested.operation).await;
        let outcome = worker.run(requested.operation, minute()).await;
        let active = Ok(OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });
        assert_eq!(outcome.map_err(|error| error.chain()), active, "{text}");
        stage.assert_active(requested.tenant).await;
    }
}
