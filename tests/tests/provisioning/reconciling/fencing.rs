//! Only the process that has the lease of a reconciliation writes its result.

use std::time::Duration;

use shared::{
    clients::postgres::Postgres,
    config::PostgresConfig,
    reconciliation::{
        FindingStore,
        store::{self, RunLease},
    },
};
use tests::proxy::{Held, Mode, Proxy};

use super::Reconciling;
use crate::stage::minute;

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_wakes_up_after_another_has_finished_its_reconciliation_changes_nothing() {
    let all = Reconciling::new().await;
    let (_, orphan) = all.failed().await;
    all.sql(&format!("CREATE DATABASE {orphan} OWNER landlord_provisioner")).await;
    let config = all.stage.world.api();
    let (proxy, url) = Proxy::before(&config.url).await;
    let frozen = all.reconciler_of(Postgres::connect(&PostgresConfig { url, ..config }).unwrap());
    let id = all.create(true).await;
    // A check begins, and deletes what an interrupted one has found.
    proxy.hang_at("DELETE FROM reconciliation_findings", Held::Request);
    let late = tokio::spawn(async move { frozen.run(id, minute()).await });
    proxy.hung().await;
    all.sql("UPDATE reconciliations SET lease_expires_at = now()").await;
    assert!(all.reconciler.run(id, minute()).await.unwrap());
    let found = all.about(&all.find(id).await, &orphan).await;
    assert_eq!(found.len(), 1, "{found:?}");

    proxy.set(Mode::Pass);

    let late = late.await.unwrap();
    assert!(matches!(late, Ok(false)), "{late:?}");
    assert_eq!(all.about(&all.find(id).await, &orphan).await, found);
    all.sql(&format!("DROP DATABASE {orphan}")).await;
}

/// What a process writes about the checks of a reconciliation.
async fn write(all: &Reconciling, lease: RunLease) -> bool {
    let client = all.stage.api.get().await.unwrap();
    let written = store::end_check(&client, lease, (FindingStore::Redis, ""), Ok(1)).await.is_ok();
    let done = store::list_done(&client, lease.id).await.unwrap();
    assert_eq!(done.len(), usize::from(written));
    written
}

async fn take(all: &Reconciling, lease: RunLease) -> Option<RunLease> {
    store::take(&all.stage.api.get().await.unwrap(), lease.id, MINUTE).await.unwrap()
}

/// A reconciliation of which a process has the lease.
async fn leased(all: &Reconciling) -> RunLease {
    let id = all.create(true).await;
    store::take(&all.stage.api.get().await.unwrap(), id, MINUTE).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_process_whose_lease_was_taken_writes_nothing() {
    let all = Reconciling::new().await;
    let client = all.stage.api.get().await.unwrap();
    let lost = leased(&all).await;
    assert_eq!(take(&all, lost).await, None, "one process has it");
    all.sql("UPDATE reconciliations SET lease_expires_at = now() - interval '1 ms'").await;
    let held = take(&all, lost).await.unwrap();
    assert!(held.token > lost.token);

    assert!(!write(&all, lost).await);
    store::release(&client, lost).await.unwrap();
    assert_eq!(take(&all, lost).await, None, "the other process still has it");
    assert!(!store::finish(&client, lost).await.unwrap());

    assert!(write(&all, held).await);
    store::release(&client, held).await.unwrap();
    let held = take(&all, held).await.unwrap();
    assert!(store::finish(&client, held).await.unwrap());
}

#[tokio::test]
async fn nobody_writes_to_a_reconciliation_that_has_ended() {
    let all = Reconciling::new().await;
    let client = all.stage.api.get().await.unwrap();
    let lease = leased(&all).await;
    assert!(store::finish(&client, lease).await.unwrap());

    assert!(!write(&all, lease).await);
    assert!(!store::finish(&client, lease).await.unwrap());
    assert_eq!(take(&all, lease).await, None);
}
