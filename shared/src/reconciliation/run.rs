//! Running a reconciliation, in one invocation or in several.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use tokio::time::{Instant, timeout_at};

use crate::{
    clients::{
        clusters::{MongoClusters, PostgresClusters},
        postgres::Postgres,
        redis::Redis,
        s3::Bucket,
    },
    config::Clusters,
    dead_letters::DeadLetters,
    error::{Error, Result},
    events::dispatch::Dispatcher,
    reconciliation::{
        FindingStore, checks,
        store::{
            self, RunLease,
            findings::{self, NewFinding},
        },
    },
    types::ReconciliationId,
};

/// Checks that run at the same time.
const CONCURRENCY: usize = 3;

/// The most findings that one check records.
const MAX_FINDINGS: usize = 20_000;

/// A process stops this long before its lease expires.
const LEASE_MARGIN: Duration = Duration::from_secs(1);

/// The stores that are observed. The users of the clusters need only read.
pub struct ObservedStores {
    pub postgres_clusters: Clusters,
    pub mongo_clusters: Clusters,
    pub postgres: PostgresClusters,
    pub mongo: MongoClusters,
    pub bucket: Bucket,
    pub redis: Redis,
}

/// Runs reconciliations.
pub struct Reconciler {
    /// The platform database.
    pub platform: Postgres,
    pub stores: ObservedStores,
    pub dead_letters: DeadLetters,
    pub dispatcher: Arc<Dispatcher>,
    /// The newest version of the tenant schema.
    pub newest_schema: i32,
}

/// A check of one store, or of one of its clusters.
pub(super) struct Check<'a> {
    pub(super) reconciler: &'a Reconciler,
    lease: RunLease,
    store: FindingStore,
    cluster: &'a str,
    found: AtomicUsize,
}

impl Check<'_> {
    pub(super) fn part(&self) -> (FindingStore, &str) {
        (self.store, self.cluster)
    }

    /// Records findings, up to the limit of a check.
    pub(super) async fn add(&self, mut findings: Vec<NewFinding>) -> Result<()> {
        let before = self.found.fetch_add(findings.len(), Ordering::Relaxed);
        findings.truncate(MAX_FINDINGS.saturating_sub(before));
        findings::insert(&self.reconciler.platform.get().await?, self.lease, self.part(), &findings).await
    }

    /// Returns how much was compared.
    async fn run(&self) -> Result<i64> {
        findings::delete(&self.reconciler.platform.get().await?, self.lease, self.part()).await?;
        match self.store {
            FindingStore::Platform => checks::platform::run(self).await,
            FindingStore::Postgresql => checks::postgresql::run(self).await,
            FindingStore::Mongodb => checks::mongodb::run(self).await,
            FindingStore::ObjectStorage => checks::object_storage::run(self).await,
            FindingStore::Redis => checks::redis::run(self).await,
            FindingStore::Sqs => checks::dead_letters::run(self).await,
        }
    }
}

impl Reconciler {
    /// Works on a reconciliation until it ends or the `deadline` is near. Returns whether it has ended. What is left is done by the next
    /// call, also by another process.
    // Boxed, because the compiler cannot show of the whole future that every thread may run it.
    pub fn run(&self, id: ReconciliationId, deadline: Instant) -> BoxFuture<'_, Result<bool>> {
        async move {
            let time = deadline.saturating_duration_since(Instant::now());
            let Some(lease) = store::take(&self.platform.get().await?, id, time).await? else { return Ok(false) };
            let until = deadline.checked_sub(LEASE_MARGIN).unwrap_or(deadline);
            match timeout_at(until, self.run_all(lease)).await {
                // Another process took it because this one was frozen for longer than its lease.
                Ok(Err(error)) if matches!(self.has(lease).await, Ok(false)) => {
                    tracing::warn!(reconciliation_id = %id, error = error.chain(), "another process goes on");
                    Ok(false)
                }
                Ok(result) => result,
                Err(_) => {
                    store::release(&self.platform.get().await?, lease).await?;
                    Ok(false)
                }
            }
        }
        .boxed()
    }

    async fn has(&self, lease: RunLease) -> Result<bool> {
        store::is_held(&self.platform.get().await?, lease).await
    }

    async fn run_all(&self, lease: RunLease) -> Result<bool> {
        let done = store::list_done(&self.platform.get().await?, lease.id).await?;
        let mut checks = Vec::new();
        for part in self.parts() {
            if !done.iter().any(|(store, cluster)| (*store, &**cluster) == part) {
                checks.push(self.check(lease, part).boxed());
            }
        }
        let mut results = stream::iter(checks).buffer_unordered(CONCURRENCY);
        while let Some(result) = results.next().await {
            result?;
        }
        if !lease.dry_run {
            self.repair(lease).await?;
        }
        store::finish(&self.platform.get().await?, lease).await
    }

    /// Every store and cluster.
    fn parts(&self) -> Vec<(FindingStore, &str)> {
        let postgres = self.stores.postgres_clusters.0.iter().map(|cluster| (FindingStore::Postgresql, &*cluster.name));
        let mongo = self.stores.mongo_clusters.0.iter().map(|cluster| (FindingStore::Mongodb, &*cluster.name));
        let single = [FindingStore::Platform, FindingStore::ObjectStorage, FindingStore::Redis, FindingStore::Sqs];
        single.map(|store| (store, "")).into_iter().chain(postgres).chain(mongo).collect()
    }

    /// Runs one check. A store that cannot be looked at is recorded as unknown; without the platform database, nothing can be done.
    async fn check(&self, lease: RunLease, part: (FindingStore, &str)) -> Result<()> {
        let check = Check { reconciler: self, lease, store: part.0, cluster: part.1, found: 0.into() };
        let result = match check.run().await {
            Ok(compared) => Ok(compared),
            Err(error) if part.0 == FindingStore::Platform => return Err(error),
            Err(error) => {
                // Half of a comparison would be misleading.
                findings::delete(&self.platform.get().await?, lease, part).await?;
                tracing::warn!(
                    store = part.0.as_str(),
                    cluster = part.1,
                    error = error.chain(),
                    "a store could not be looked at"
                );
                Err(reason(&error))
            }
        };
        store::end_check(&self.platform.get().await?, lease, part, result).await
    }
}

/// For super-admins: without anything that a server said.
fn reason(error: &Error) -> String {
    match error {
        Error::Unavailable { dependency, .. } => {
            format!("{dependency} could not be reached, or did not answer in time")
        }
        _ => "it could not be read; the log of reconcile-tenants contains the details".to_owned(),
    }
}
