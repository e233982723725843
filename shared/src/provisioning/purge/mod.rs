//! The part of an attempt that removes a tenant for good.
//!
//! A purge has no rollback, and is tried until it succeeds or a restore supersedes it:
//!
//! 1. At once, the platform's services lose their access, as in a suspension.
//! 2. Until the window in which the tenant can be restored is over, the operation waits.
//! 3. If the deletion demands it, the tenant is exported. Nobody has written to it since the first step, and the files are kept from now on. Nothing is
//!    removed before the export is complete, however long that takes; until then, the tenant can be restored. The beginning of the removal
//!    and a restore lock the tenant's row, and compare the same time with the same clock, so that only one of them happens.
//! 4. What exists is counted and then removed, store by store. A store that is down makes the operation wait; the others are removed meanwhile.
//!    The figures are in the journal before anything is removed, so that a worker that takes over does not count what is left.
//! 5. A [`search`] that knows none of these steps looks for the tenant in every store and on every cluster. If it finds something, that is
//!    removed again, and the operation ends only after a search that finds nothing.

mod figures;
mod mongodb;
mod objects;
mod postgresql;
mod redis;
mod search;

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::join;
use tracing::info;

use self::{mongodb::MongodbRemoval, objects::ObjectRemoval, postgresql::PostgresqlRemoval};
use super::{
    Moment, OperationOutcome,
    saga::Saga,
    step::{ServiceAccess, StepContext, StepError},
    steps::platform::{self, Receipt},
};
use crate::{
    operations::{OperationStatus, StepChange, StepName, store::removal},
    types::{ExportId, Placement},
};

/// The longest delay of a message. After a longer wait, the relay wakes the operation.
const MAX_DELAY: Duration = Duration::from_mins(15);

const WAITS: &str = "The tenant can be restored until then";

impl Saga<'_> {
    /// As [`Self::purge`], on the heap.
    pub(super) fn purge_boxed(&self) -> BoxFuture<'_, Result<OperationOutcome, StepError>> {
        Box::pin(self.purge())
    }

    /// Removes the tenant, as far as it is time.
    async fn purge(&self) -> Result<OperationOutcome, StepError> {
        let lease = self.operation.lease;
        let purged = async {
            self.apply_access(ServiceAccess::Revoked).await?;
            if let Some(wait) = removal::wait_until_due(&self.platform().await?, lease, WAITS).await? {
                return Ok(Some(wait));
            }
            let kept = self.export_and_begin_purge().await?;
            let context = self.context(self.operation.placement.clone().unwrap_or(Placement::NOWHERE));
            self.remove_everything(&context, kept).await?;
            let search = self.verify(&context, kept).await?;
            let receipt = Receipt { stores: figures::of_all(&context).await?, search, export: kept };
            self.observe(Moment::Ending).await?;
            platform::end_purge(&self.provisioner.platform, lease, &receipt).await?;
            Ok(None)
        };
        match purged.await {
            Ok(None) => {
                info!(operation.id = %lease.operation_id, tenant.id = %lease.tenant_id, "tenant purged");
                self.observe(Moment::Ended).await?;
                Ok(OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true })
            }
            Ok(Some(wait)) => {
                let wake_in = (wait <= MAX_DELAY).then_some(wait);
                Ok(OperationOutcome::Open { reason: WAITS.to_owned(), wake_in })
            }
            Err(error) => self.try_later(error).await,
        }
    }

    async fn remove_everything(&self, context: &StepContext<'_>, kept: Option<ExportId>) -> Result<(), StepError> {
        self.check_breakers(&context.placement).await?;
        let databases = async {
            // Without a placement, there are no databases.
            if self.operation.placement.is_none() {
                return Ok(());
            }
            let (postgres, mongo) = join!(self.apply(context, PostgresqlRemoval), self.apply(context, MongodbRemoval));
            StepError::worse(postgres, mongo)
        };
        let keys = self.run_step(StepName::RedisRemoval, async || redis::remove(context).await);
        let (databases, objects, keys) = join!(databases, self.apply(context, ObjectRemoval { kept }), keys);
        StepError::worse(StepError::worse(databases, objects), keys)
    }

    /// Searches every store, and removes once more if something is found. Returns what was searched.
    async fn verify(&self, context: &StepContext<'_>, kept: Option<ExportId>) -> Result<serde_json::Value, StepError> {
        let mut searched = serde_json::Value::Null;
        self.run_step(StepName::Verification, async || {
            // A request of a service that was on its way may have written an object after the first sweep.
            objects::sweep(context, StepName::ObjectRemoval, kept).await?;
            let mut found = search::run(context, kept).await?;
            if !found.is_empty() {
                self.remove_again(context).await?;
                found = search::run(context, kept).await?;
            }
            if found.is_empty() {
                searched = search::describe(context);
                Ok(())
            } else {
                Err(StepError::transient(format!("After the removal, something was found: {}", found.join(", "))))
            }
        })
        .await?;
        if searched.is_null() {
            // A worker before this one has recorded the step, and its search is lost. Another one costs little.
            let found = search::run(context, kept).await?;
            if !found.is_empty() {
                return Err(StepError::transient(format!(
                    "After the removal, something was found: {}",
                    found.join(", ")
                )));
            }
            searched = search::describe(context);
        }
        Ok(searched)
    }

    async fn remove_again(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        if self.operation.placement.is_some() {
            postgresql::remove(context).await?;
            mongodb::remove(context).await?;
        }
        redis::remove(context).await
    }

    /// A step that has no circuit breaker: records its beginning, its end or its error, unless it has succeeded already.
    async fn run_step(
        &self,
        name: StepName,
        step: impl AsyncFnOnce() -> Result<(), StepError>,
    ) -> Result<(), StepError> {
        if self.operation.succeeded.contains(&name) {
            return Ok(());
        }
        self.record(name, StepChange::Started).await?;
        let applied = async {
            self.observe(Moment::Applying(name)).await?;
            step().await?;
            self.observe(Moment::Applied(name)).await
        };
        self.record_failure(name, applied.await).await?;
        self.record(name, StepChange::Succeeded).await?;
        self.observe(Moment::Recorded(name)).await
    }
}
