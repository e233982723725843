//! The saga: one operation, from taking its lease to its end, or to the next delivery.

use std::time::Duration;

use tokio::{
    join,
    time::{Instant, timeout, timeout_at},
};
use tracing::{error, info, warn};

use crate::provisioning::{
    Provisioner,
    fault::{Severity, StepError},
    observer::Moment,
    step::{APPLY_LIMIT, Step, StepContext, UNDO_LIMIT},
    steps::{
        activation, admin_agent::AdminUser, mongodb_database::MongodbDatabase, object_prefix::ObjectPrefix, placement,
        postgresql_database::PostgresqlDatabase,
    },
};
use crate::{
    error::{Error, Result},
    operations::{
        OperationStatus, StepName,
        store::journal::{self, LeasedOperation, StepChange},
    },
    tenants::TENANT_SCHEMA_VERSION,
    types::{OperationId, Placement},
};

/// With less time than this nothing is begun.
const SHORTEST: Duration = Duration::from_secs(1);

/// How long before its lease expires a worker lets go.
const MARGIN: Duration = Duration::from_millis(500);

/// A delivery of a message about an operation.
#[derive(Debug, Clone, Copy)]
pub struct Delivery {
    /// When the process may be stopped. The lease lasts until then.
    pub deadline: Instant,
    /// Whether the queue gives the message up after this.
    pub last: bool,
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The operation is over.
    Finished {
        /// `Succeeded` or `Failed`.
        status: OperationStatus,
        /// Whether this delivery ended it; otherwise an earlier one did.
        now: bool,
    },
    /// It is not: the message has to come again. The text says why.
    Retry(String),
}

impl Provisioner {
    /// Works on an operation until it ends or cannot go on now. An operation that does not exist is [`Error::NotFound`];
    /// another error means that the platform database could not be asked.
    pub async fn run(&self, id: OperationId, delivery: Delivery) -> Result<Outcome> {
        let lasts = delivery.deadline.saturating_duration_since(Instant::now());
        if lasts < SHORTEST + MARGIN {
            return Ok(Outcome::Retry("too little time is left".to_owned()));
        }
        let Some(claim) = journal::take(&self.platform.get().await?, id, lasts).await? else {
            return self.unavailable(id).await;
        };
        let saga = Saga { provisioner: self, claim };
        match timeout_at(delivery.deadline - MARGIN, saga.run(delivery.last)).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(fault)) => {
                warn!(operation.id = %id, severity = ?fault.severity, cause = cause(&fault), "{}", fault.reason);
                Ok(Outcome::Retry(fault.reason))
            }
            // What was begun may still be under way, so the lease is left to expire.
            Err(_elapsed) => Ok(Outcome::Retry("the time was over".to_owned())),
        }
    }

    async fn unavailable(&self, id: OperationId) -> Result<Outcome> {
        match journal::find_status(&self.platform.get().await?, id).await? {
            None => Err(Error::NotFound { what: "operation" }),
            Some(status @ (OperationStatus::Succeeded | OperationStatus::Failed)) => {
                Ok(Outcome::Finished { status, now: false })
            }
            Some(_) => Ok(Outcome::Retry("another worker is at it".to_owned())),
        }
    }
}

/// One worker's turn on an operation.
struct Saga<'a> {
    provisioner: &'a Provisioner,
    claim: LeasedOperation,
}

impl Saga<'_> {
    async fn run(&self, last: bool) -> Result<Outcome, StepError> {
        self.observe(Moment::Leased).await?;
        if self.claim.status == OperationStatus::Undoing {
            let reason = self.claim.reason.as_deref().unwrap_or_default();
            return self.undo(reason).await;
        }
        let fault = match self.forward().await {
            Ok(()) => {
                info!(operation.id = %self.claim.lease.operation_id, tenant.id = %self.claim.lease.tenant_id, "tenant provisioned");
                self.observe(Moment::Ended).await?;
                return Ok(Outcome::Finished { status: OperationStatus::Succeeded, now: true });
            }
            Err(fault) => fault,
        };
        let last = last || self.claim.attempts >= self.provisioner.config.max_attempts;
        match fault.severity {
            Severity::Fenced => Err(fault),
            Severity::Transient if !last => {
                // Nothing of ours is under way any more: whoever is next need not wait for the lease to expire.
                journal::release(&self.platform().await?, self.claim.lease).await?;
                Err(fault)
            }
            Severity::Transient | Severity::Permanent => {
                error!(
                    operation.id = %self.claim.lease.operation_id,
                    tenant.id = %self.claim.lease.tenant_id,
                    cause = cause(&fault),
                    "the operation is given up and undone: {}",
                    fault.reason
                );
                self.observe(Moment::BeginningRollback).await?;
                journal::begin_rollback(&self.platform().await?, self.claim.lease, &fault.reason).await?;
                self.observe(Moment::RollbackBegun).await?;
                self.undo(&fault.reason).await
            }
        }
    }

    async fn forward(&self) -> Result<(), StepError> {
        if self.claim.attempts > self.provisioner.config.max_attempts {
            return Err(StepError::permanent(format!(
                "It was taken up {} times, and each time the worker ended in the middle of it",
                self.claim.attempts - 1
            )));
        }
        match self.claim.schema_version {
            Some(version) if version != TENANT_SCHEMA_VERSION => {
                return Err(StepError::permanent(format!(
                    "The tenant schema moved from version {version} to {TENANT_SCHEMA_VERSION} while it was being made"
                )));
            }
            _ => {}
        }
        let site = self.site(self.place().await?);
        let (postgres, mongo, objects) = join!(
            async {
                self.apply(&site, PostgresqlDatabase).await?;
                self.apply(&site, AdminUser).await
            },
            self.apply(&site, MongodbDatabase),
            self.apply(&site, ObjectPrefix),
        );
        // Each has come to its end, so nothing is under way whatever the others met.
        StepError::worse(StepError::worse(postgres, mongo), objects)?;
        self.activate().await
    }

    async fn place(&self) -> Result<Placement, StepError> {
        if let Some(placement) = &self.claim.placement {
            return Ok(placement.clone());
        }
        let placed = async {
            self.observe(Moment::Applying(StepName::Placement)).await?;
            placement::apply(&self.provisioner.platform, &self.provisioner.stores, self.claim.lease).await
        };
        let placement = self.noted(StepName::Placement, placed.await).await?;
        self.observe(Moment::Recorded(StepName::Placement)).await?;
        Ok(placement)
    }

    async fn activate(&self) -> Result<(), StepError> {
        let ended = async {
            self.observe(Moment::Applying(StepName::Activation)).await?;
            activation::succeed(&self.provisioner.platform, self.claim.lease).await
        };
        self.noted(StepName::Activation, ended.await).await
    }

    async fn apply<S: Step>(&self, site: &StepContext<'_>, step: S) -> Result<(), StepError> {
        if self.claim.succeeded.contains(&S::NAME) {
            return Ok(());
        }
        self.record(S::NAME, StepChange::Begun).await?;
        let applied = async {
            self.observe(Moment::Applying(S::NAME)).await?;
            timeout(APPLY_LIMIT, step.apply(site)).await.map_err(|_| StepError::late(APPLY_LIMIT))??;
            self.observe(Moment::Applied(S::NAME)).await
        };
        let written = match self.noted(S::NAME, applied.await).await {
            Ok(()) => self.record(S::NAME, StepChange::Succeeded).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = written {
            if fault.is_fenced() && !S::FENCED {
                self.retract(site, step).await;
            }
            return Err(fault);
        }
        self.observe(Moment::Recorded(S::NAME)).await
    }

    /// Writes the reason of a fault to the step. Of two faults the first is told.
    async fn noted<T>(&self, step: StepName, result: Result<T, StepError>) -> Result<T, StepError> {
        if let Err(fault) = &result
            && !fault.is_fenced()
            && let Err(second) = self.record(step, StepChange::Failed(&fault.reason)).await
        {
            warn!(operation.id = %self.claim.lease.operation_id, cause = cause(&second), "{}", second.reason);
            if second.is_fenced() {
                return Err(second);
            }
        }
        result
    }

    /// Takes back an effect that came too late. An operation that has turned round never applies again, and what it makes
    /// belongs to it alone, so this cannot meet anything that lives.
    async fn retract<S: Step>(&self, site: &StepContext<'_>, step: S) {
        let turned = async {
            let status = journal::find_status(&self.platform().await?, self.claim.lease.operation_id).await?;
            if matches!(status, Some(OperationStatus::Undoing | OperationStatus::Failed)) {
                step.undo(site).await?;
            }
            Ok::<_, StepError>(())
        };
        if let Err(fault) = timeout(UNDO_LIMIT, turned).await.unwrap_or_else(|_| Err(StepError::late(UNDO_LIMIT))) {
            error!(
                operation.id = %self.claim.lease.operation_id,
                step = S::NAME.as_str(),
                cause = cause(&fault),
                "an effect that came too late could not be taken back: {}",
                fault.reason
            );
        }
    }

    /// Undoes every step in reverse, whatever the journal says of it, and ends the operation.
    async fn undo(&self, reason: &str) -> Result<Outcome, StepError> {
        let undone = self.backward(reason).await;
        if let Err(fault) = &undone
            && !fault.is_fenced()
        {
            error!(
                operation.id = %self.claim.lease.operation_id,
                tenant.id = %self.claim.lease.tenant_id,
                cause = cause(fault),
                "what was made cannot be undone yet, and will be tried again: {}",
                fault.reason
            );
            journal::release(&self.platform().await?, self.claim.lease).await?;
        }
        undone?;
        self.observe(Moment::Ended).await?;
        Ok(Outcome::Finished { status: OperationStatus::Failed, now: true })
    }

    async fn backward(&self, reason: &str) -> Result<(), StepError> {
        // Asked again: the placement may have been committed without our hearing of it.
        let placed =
            crate::tenants::store::placement::find(&self.platform().await?, self.claim.lease.tenant_id).await?;
        // Without it no other step was begun.
        if let Some(placement) = placed {
            let site = self.site(placement);
            self.revert(&site, AdminUser).await?;
            let (objects, mongo, postgres) = join!(
                self.revert(&site, ObjectPrefix),
                self.revert(&site, MongodbDatabase),
                self.revert(&site, PostgresqlDatabase),
            );
            StepError::worse(StepError::worse(objects, mongo), postgres)?;
        }
        self.observe(Moment::Failing).await?;
        activation::fail(&self.provisioner.platform, self.claim.lease, reason).await
    }

    async fn revert<S: Step>(&self, site: &StepContext<'_>, step: S) -> Result<(), StepError> {
        self.record(S::NAME, StepChange::UndoBegun).await?;
        let undone = async {
            self.observe(Moment::Undoing(S::NAME)).await?;
            timeout(UNDO_LIMIT, step.undo(site)).await.map_err(|_| StepError::late(UNDO_LIMIT))??;
            self.observe(Moment::Undone(S::NAME)).await
        };
        match undone.await {
            Ok(()) => self.record(S::NAME, StepChange::Undone).await,
            Err(fault) if fault.is_fenced() => Err(fault),
            Err(fault) => {
                self.record(S::NAME, StepChange::UndoFailed(&fault.reason)).await?;
                Err(fault)
            }
        }
    }

    async fn record(&self, step: StepName, change: StepChange<'_>) -> Result<(), StepError> {
        Ok(journal::record(&self.platform().await?, self.claim.lease, step, change).await?)
    }

    async fn platform(&self) -> Result<crate::clients::postgres::Connection, StepError> {
        Ok(self.provisioner.platform.get().await?)
    }

    async fn observe(&self, moment: Moment) -> Result<(), StepError> {
        match &self.provisioner.observer {
            Some(observer) => Ok(observer.observe(moment).await?),
            None => Ok(()),
        }
    }

    fn site(&self, placement: Placement) -> StepContext<'_> {
        StepContext {
            platform: &self.provisioner.platform,
            stores: &self.provisioner.stores,
            lease: self.claim.lease,
            database: &self.claim.database_name,
            placement,
        }
    }
}

fn cause(fault: &StepError) -> String {
    fault.source.as_ref().map(Error::chain).unwrap_or_default()
}
