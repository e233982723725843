//! One attempt at an operation: from taking the lease to the end of the operation, or until it is postponed.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::{
    join,
    time::{Instant, sleep, timeout, timeout_at},
};
use tracing::{error, info, warn};

use crate::{
    clients::postgres::Connection,
    error::{Dependency, Error, Result},
    operations::{
        self, Fault, LeasedOperation, OperationKind, OperationStatus, StepChange, StepName,
        store::{breakers, journal},
    },
    provisioning::{
        Moment, OperationOutcome, Provisioner,
        step::{ServiceAccess, Severity, Step, StepContext, StepError, UNDO_TIMEOUT},
        steps::{
            mongodb::MongodbDatabase,
            object_prefix::ObjectPrefix,
            platform,
            postgresql::{AdminUser, PostgresqlDatabase},
        },
    },
    telemetry::metrics::{self, Metric},
    types::{OperationId, Placement},
};

/// A worker with less time than this starts nothing.
const MIN_TIME_LEFT: Duration = Duration::from_secs(1);

/// An operation that is out of time is rolled back after more than this many attempts that left no result.
const MAX_LATE_CRASHES: i32 = 3;

/// A worker stops this long before its lease expires.
const LEASE_MARGIN: Duration = Duration::from_millis(500);

/// Pauses before the further attempts to remove the effect of a late step.
const LATE_REMOVAL_PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(600), Duration::from_millis(1800)];

impl Provisioner {
    /// Works on an operation until it ends or is postponed. The process may be stopped at the `deadline`; the lease lasts until then.
    /// Fails with [`Error::NotFound`] if the operation does not exist, and with other errors if the platform database cannot be
    /// read.
    pub async fn run(&self, id: OperationId, deadline: Instant) -> Result<OperationOutcome> {
        let time_left = deadline.saturating_duration_since(Instant::now());
        if time_left < MIN_TIME_LEFT + LEASE_MARGIN {
            let reason = "too little time is left".to_owned();
            return Ok(OperationOutcome::Open { reason, wake_in: Some(Duration::ZERO) });
        }
        let taken = async { journal::take(&self.platform.get().await?, id, time_left).await };
        let Some(operation) = within(deadline, taken).await? else {
            return within(deadline, self.explain_missing_lease(id)).await;
        };
        let saga = Saga { provisioner: self, operation };
        // From here on, an operation that is not postponed is due when its lease has expired.
        let lease_ends_in = || Some(deadline.saturating_duration_since(Instant::now()) + LEASE_MARGIN);
        match timeout_at(deadline - LEASE_MARGIN, saga.run()).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(error)) => {
                warn!(operation.id = %id, severity = ?error.severity, cause = error.cause(), "{}", error.reason);
                let wake_in = if error.is_fenced() { None } else { lease_ends_in() };
                Ok(OperationOutcome::Open { reason: error.reason, wake_in })
            }
            // Requests may still be in progress, so the lease is not released.
            Err(_elapsed) => {
                Ok(OperationOutcome::Open { reason: "the time ran out".to_owned(), wake_in: lease_ends_in() })
            }
        }
    }

    async fn explain_missing_lease(&self, id: OperationId) -> Result<OperationOutcome> {
        match journal::find_status(&self.platform.get().await?, id).await? {
            None => Err(Error::NotFound { what: "operation" }),
            Some(status @ (OperationStatus::Succeeded | OperationStatus::Failed | OperationStatus::Superseded)) => {
                Ok(OperationOutcome::Finished { status, now: false })
            }
            // The worker that postponed it or holds the lease wakes it, or else the relay does.
            Some(_) => {
                let reason = "it is not due, or another worker holds the lease".to_owned();
                Ok(OperationOutcome::Open { reason, wake_in: None })
            }
        }
    }
}

/// Bounds what is done without a lease. A platform database that hangs must not keep the other messages of a batch from being answered.
async fn within<T>(deadline: Instant, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |elapsed| Err(Error::unavailable(Dependency::PostgreSql, elapsed));
    timeout_at(deadline - LEASE_MARGIN, work).await.unwrap_or_else(late)
}

/// The work of one worker on an operation that it has leased.
pub(super) struct Saga<'a> {
    pub(super) provisioner: &'a Provisioner,
    pub(super) operation: LeasedOperation,
}

impl Saga<'_> {
    async fn run(&self) -> Result<OperationOutcome, StepError> {
        self.observe(Moment::Leased).await?;
        let lease = self.operation.lease;
        match self.operation.kind {
            OperationKind::Provision | OperationKind::Retry | OperationKind::Restore => {}
            OperationKind::Cleanup => return self.clean_up().await,
            // Boxed, because the future of each would be a part of that of every operation, also on the stack.
            OperationKind::Suspend => return self.change_access_boxed(ServiceAccess::Revoked).await,
            OperationKind::Purge => return self.purge_boxed().await,
            OperationKind::Promote => return self.promote_boxed().await,
            OperationKind::Resume => return self.change_access_boxed(ServiceAccess::Granted).await,
            OperationKind::Export => return self.export_boxed().await,
        }
        if self.operation.status == OperationStatus::Undoing {
            return self.roll_back(self.operation.reason.as_deref().unwrap_or_default()).await;
        }
        let applied = match self.operation.kind {
            OperationKind::Restore => self.restore_boxed().await,
            _ => self.apply_all().await,
        };
        let error = match applied {
            Ok(()) => {
                let kind = self.operation.kind.as_str();
                info!(operation.id = %lease.operation_id, tenant.id = %lease.tenant_id, kind, "the tenant has its databases");
                self.report_end(0.0);
                self.observe(Moment::Ended).await?;
                return Ok(OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });
            }
            Err(error) => error,
        };
        if self.may_pass(&error) {
            return self.postpone(error).await;
        }
        let reason = error.reason.clone();
        self.begin_rollback(error).await?.roll_back(&reason).await
    }

    /// Whether the operation is tried again after this error.
    pub(super) fn may_pass(&self, error: &StepError) -> bool {
        match error.severity {
            Severity::Unavailable => true,
            Severity::Transient => !self.operation.is_out_of_time,
            Severity::Permanent | Severity::Fenced => false,
        }
    }

    /// Begins the rollback, under a new lease.
    pub(super) async fn begin_rollback(&self, error: StepError) -> Result<Self, StepError> {
        if error.is_fenced() {
            return Err(error);
        }
        let lease = self.operation.lease;
        error!(
            operation.id = %lease.operation_id, tenant.id = %lease.tenant_id, cause = error.cause(),
            "rolling back the operation: {}", error.reason
        );
        self.observe(Moment::BeginningRollback).await?;
        let lease = journal::begin_rollback(&self.platform().await?, lease, &error.reason).await?;
        self.observe(Moment::RollbackBegun).await?;
        // From here on, this worker's own earlier requests are those of an earlier worker.
        let operation = LeasedOperation { lease, faults: 0, ..self.operation.clone() };
        Ok(Saga { operation, ..*self })
    }

    /// Ends this attempt after a fault. None of its requests is in progress any more.
    pub(super) async fn postpone(&self, error: StepError) -> Result<OperationOutcome, StepError> {
        let lease = self.operation.lease;
        let wait = error.retry_after.unwrap_or_else(|| operations::backoff(self.operation.faults));
        warn!(
            operation.id = %lease.operation_id, tenant.id = %lease.tenant_id, wait = wait.as_secs_f64(), cause = error.cause(),
            "the operation is postponed: {}", error.reason
        );
        let fault = if error.severity == Severity::Unavailable { Fault::Unavailable } else { Fault::Transient };
        let budget = self.operation.kind.budget();
        journal::postpone(&self.platform().await?, lease, fault, &error.reason, wait, budget).await?;
        Ok(OperationOutcome::Open { reason: error.reason, wake_in: Some(wait) })
    }

    /// Fails if the operation must not try a store for now.
    pub(super) async fn check_breakers(&self, placement: &Placement) -> Result<(), StepError> {
        if !self.operation.has_breakers {
            return Ok(());
        }
        match breakers::find_open(&self.platform().await?, placement).await? {
            None => Ok(()),
            Some(open) => Err(StepError::breaker_open(&open)),
        }
    }

    /// Reports how long the operation took from its request, and whether it failed.
    pub(super) fn report_end(&self, failures: f64) {
        // A restore takes as long as the tenant is large.
        if self.operation.kind == OperationKind::Restore {
            return;
        }
        let duration = (OffsetDateTime::now_utc() - self.operation.created_at).max(time::Duration::ZERO);
        metrics::report(&[
            (Metric::ProvisioningDuration, duration.as_seconds_f64() * 1000.0),
            (Metric::ProvisioningFailures, failures),
        ]);
    }

    /// Fails if the operation is out of time, and its workers leave no result.
    pub(super) fn check_crashes(&self) -> Result<(), StepError> {
        let crashes = self.operation.attempts - 1 - self.operation.faults;
        if self.operation.is_out_of_time && crashes > MAX_LATE_CRASHES {
            return Err(StepError::permanent(format!(
                "The operation was started {} times, and each time the worker stopped before it finished",
                self.operation.attempts - 1
            )));
        }
        Ok(())
    }

    async fn apply_all(&self) -> Result<(), StepError> {
        self.check_crashes()?;
        let context = self.context(self.place(self.provisioner.tenant_schema_version).await?);
        self.check_breakers(&context.placement).await?;
        let (postgres, mongo, objects) = join!(
            async {
                self.apply(&context, PostgresqlDatabase).await?;
                self.apply(&context, AdminUser).await
            },
            self.apply(&context, MongodbDatabase),
            self.apply(&context, ObjectPrefix),
        );
        // All branches have ended, so no request is in progress even if one of them failed.
        StepError::worse(StepError::worse(postgres, mongo), objects)?;
        self.activate().await
    }

    pub(super) async fn place(&self, schema_version: i32) -> Result<Placement, StepError> {
        if let Some(placement) = &self.operation.placement {
            return Ok(placement.clone());
        }
        let placed = async {
            self.observe(Moment::Applying(StepName::Placement)).await?;
            platform::place(&self.provisioner.platform, &self.provisioner.stores, self.operation.lease, schema_version)
                .await
        };
        let placement = self.record_failure(StepName::Placement, placed.await).await?;
        self.observe(Moment::Recorded(StepName::Placement)).await?;
        Ok(placement)
    }

    async fn activate(&self) -> Result<(), StepError> {
        let activated = async {
            self.observe(Moment::Applying(StepName::Activation)).await?;
            platform::activate(&self.provisioner.platform, self.operation.lease).await
        };
        self.record_failure(StepName::Activation, activated.await).await
    }

    pub(super) async fn apply<S: Step>(&self, context: &StepContext<'_>, step: S) -> Result<(), StepError> {
        if self.operation.succeeded.contains(&S::NAME) {
            return Ok(());
        }
        self.record(S::NAME, StepChange::Started).await?;
        let applied = async {
            self.observe(Moment::Applying(S::NAME)).await?;
            // On the heap, because the future of each step would be a part of that of every operation.
            timeout(S::LIMIT, Box::pin(step.apply(context)))
                .await
                .map_err(|_| StepError::timed_out(S::STORE, S::LIMIT))??;
            self.observe(Moment::Applied(S::NAME)).await
        };
        let applied = self.record_failure(S::NAME, applied.await).await;
        // A worker whose session the next one has ended did not meet a store that fails.
        if !applied.as_ref().is_err_and(StepError::is_fenced) {
            self.record_health::<S>(context, &applied).await;
        }
        let recorded = match applied {
            Ok(()) => self.record(S::NAME, StepChange::Succeeded).await,
            Err(error) => Err(error),
        };
        if let Err(error) = recorded {
            if error.is_fenced() && !S::FENCED {
                self.remove_late_effect(context, step).await;
            }
            return Err(error);
        }
        self.observe(Moment::Recorded(S::NAME)).await
    }

    /// Records for all operations whether the step's store works.
    pub(super) async fn record_health<S: Step>(&self, context: &StepContext<'_>, result: &Result<(), StepError>) {
        let failed = result.as_ref().err().and_then(|error| error.store);
        let store = failed.unwrap_or(S::STORE);
        let cluster = context.cluster(store);
        let works = match result {
            Ok(()) if self.operation.has_breakers => true,
            Err(error) if error.severity == Severity::Unavailable => false,
            Ok(()) | Err(_) => return,
        };
        let record = async {
            let platform = self.provisioner.platform.get().await?;
            if works {
                breakers::close(&platform, store, cluster).await
            } else {
                breakers::record_fault(&platform, store, cluster, self.operation.lease.operation_id).await
            }
        };
        if let Err(error) = record.await {
            warn!(error = error.chain(), "a circuit breaker could not be changed");
        }
    }

    /// Records the reason if the step failed. If recording fails too, the step's own error is returned, unless this worker was
    /// fenced.
    pub(super) async fn record_failure<T>(&self, step: StepName, result: Result<T, StepError>) -> Result<T, StepError> {
        if let Err(error) = &result
            && !error.is_fenced()
            && let Err(second) = self.record(step, StepChange::Failed(&error.reason)).await
        {
            warn!(operation.id = %self.operation.lease.operation_id, cause = second.cause(), "{}", second.reason);
            if second.is_fenced() {
                return Err(second);
            }
        }
        result
    }

    /// Removes an effect that was applied too late. An operation whose rollback has begun never applies a step again, and its
    /// effects belong to it alone, so this cannot remove anything that is in use. The same holds for the files of an operation that was
    /// superseded, because none is whose export is complete: an `export` has then succeeded, and a purge has begun to remove.
    ///
    /// Tries several times, because otherwise the effect stays until a reconciliation finds it.
    async fn remove_late_effect<S: Step>(&self, context: &StepContext<'_>, step: S) {
        let id = self.operation.lease.operation_id;
        let removed = async {
            let status = journal::find_status(&self.platform().await?, id).await?;
            let has_ended_without_effects =
                [OperationStatus::Undoing, OperationStatus::Failed, OperationStatus::Superseded];
            if !status.is_some_and(|status| has_ended_without_effects.contains(&status)) {
                return Ok(());
            }
            let mut pauses = LATE_REMOVAL_PAUSES.into_iter();
            loop {
                match (step.undo(context).await, pauses.next()) {
                    // What a store refuses to a late worker, a newer one removes.
                    (Err(error), _) if error.is_fenced() => return Ok(()),
                    (Err(error), Some(pause)) => {
                        warn!(operation.id = %id, step = S::NAME.as_str(), cause = error.cause(), "{}", error.reason);
                        sleep(pause).await;
                    }
                    (removed, _) => return removed,
                }
            }
        };
        let removed =
            timeout(UNDO_TIMEOUT, removed).await.unwrap_or_else(|_| Err(StepError::timed_out(S::STORE, UNDO_TIMEOUT)));
        if let Err(error) = removed {
            error!(
                operation.id = %id, step = S::NAME.as_str(), cause = error.cause(),
                "removing the effect of a late step failed: {}", error.reason
            );
        }
    }

    pub(super) async fn record(&self, step: StepName, change: StepChange<'_>) -> Result<(), StepError> {
        Ok(journal::record(&self.platform().await?, self.operation.lease, step, change).await?)
    }

    pub(super) async fn platform(&self) -> Result<Connection, StepError> {
        Ok(self.provisioner.platform.get().await?)
    }

    pub(super) async fn observe(&self, moment: Moment) -> Result<(), StepError> {
        match &self.provisioner.observer {
            Some(observer) => Ok(observer.observe(moment).await?),
            None => Ok(()),
        }
    }

    pub(super) fn context(&self, placement: Placement) -> StepContext<'_> {
        StepContext {
            platform: &self.provisioner.platform,
            stores: &self.provisioner.stores,
            lease: self.operation.lease,
            creator: self.operation.creator,
            database: &self.operation.database_name,
            placement,
            schema_version: self.operation.schema_version.unwrap_or(self.provisioner.tenant_schema_version),
            budget: self.operation.kind.budget(),
            is_copy: self.operation.kind == OperationKind::Restore,
        }
    }
}
