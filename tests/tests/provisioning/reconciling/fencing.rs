//! Only the process that has the lease of a reconciliation writes its result.

use std::time::Duration;

use shared::{
    clients::postgres::Postgres,
    config::PostgresConfig,
    error::Result,
    operations::OperationStatus,
    reconciliation::{
        FindingStore,
        store::{self, RunLease},
    },
    tenants::TenantStatus,
    types::ReconciliationId,
};
use tests::proxy::{Held, Mode, Proxy};
use tokio::task::JoinHandle;

use super::Reconciling;
use crate::stage::minute;

const MINUTE: Duration = Duration::from_mins(1);

/// A process that froze while it worked on a reconciliation, which another one has finished since.
struct Overtaken {
    id: ReconciliationId,
    process: JoinHandle<Result<bool>>,
    proxy: Proxy,
}

impl Overtaken {
    /// The process freezes before its first request to the platform database that contains `text`.
    async fn at(all: &Reconciling, dry_run: bool, text: &'static str) -> Self {
        let config = all.stage.world.api();
        let (proxy, url) = Proxy::before(&config.url).await;
        let frozen = all.reconciler_of(Postgres::connect(&PostgresConfig { url, ..config }).unwrap());
        let id = all.create(dry_run).await;
        proxy.hang_at(text, Held::Request);
        let process = tokio::spawn(async move { frozen.run(id, minute()).await });
        proxy.hung().await;
        all.sql("UPDATE reconciliations SET lease_expires_at = now()").await;
        assert!(all.reconciler.run(id, minute()).await.unwrap());
        Self { id, process, proxy }
    }

    /// The process goes on to its end.
    async fn wake(self) {
        self.proxy.set(Mode::Pass);
        let ended = self.process.await.unwrap();
        assert!(matches!(ended, Ok(false)), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_wakes_up_after_another_has_finished_its_reconciliation_changes_nothing() {
    let all = Reconciling::new().await;
    let (_, orphan) = all.failed().await;
    all.sql(&format!("CREATE DATABASE {orphan} OWNER landlord_provisioner")).await;
    // A check begins, and deletes what an interrupted one has found.
    let overtaken = Overtaken::at(&all, true, "DELETE FROM reconciliation_findings").await;
    let report = all.find(overtaken.id).await;
    let found = all.about(&report, &orphan).await;
    assert_eq!(found.len(), 1, "{found:?}");

    overtaken.wake().await;

    assert_eq!(all.about(&report, &orphan).await, found);
    all.sql(&format!("DROP DATABASE {orphan}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_wakes_up_after_another_has_begun_the_repairs_begins_none() {
    let all = Reconciling::new().await;
    let (active, database) = all.active().await;
    let suspended = all.stage.request_status(active.tenant, TenantStatus::Suspended).await;
    assert_eq!(all.stage.finish(suspended).await, OperationStatus::Succeeded);
    // By hand, somebody lets services in.
    let grant = format!("GRANT CONNECT ON DATABASE {database} TO landlord_service");
    all.sql(&format!("SET ROLE landlord_provisioner; {grant}; RESET ROLE")).await;
    // The transaction of a repair has begun.
    let overtaken = Overtaken::at(&all, false, "FROM tenants WHERE id = $1 FOR UPDATE").await;
    let repair = all.stage.open_operation(active.tenant).await;

    overtaken.wake().await;

    assert_eq!(all.stage.open_operation(active.tenant).await, repair);
    let suspensions = format!("SELECT FROM operations WHERE kind = 'suspend' AND tenant_id = '{}'", active.tenant);
    assert_eq!(all.stage.count(&suspensions).await, 2, "the super-admin's, and one repair");
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
