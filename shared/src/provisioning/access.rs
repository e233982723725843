//! The part of an attempt that lets the platform's services into a tenant's databases, or keeps them out.

use futures::future::BoxFuture;
use tokio::join;
use tracing::info;

use super::{
    Moment, OperationOutcome,
    saga::Saga,
    step::{ServiceAccess, StepError},
    steps::{mongodb::login::MongodbAccess, platform, postgresql::access::PostgresqlAccess},
};
use crate::operations::OperationStatus;

impl Saga<'_> {
    /// As [`Self::change_access`], on the heap.
    pub(super) fn change_access_boxed(
        &self,
        access: ServiceAccess,
    ) -> BoxFuture<'_, Result<OperationOutcome, StepError>> {
        Box::pin(self.change_access(access))
    }

    /// Changes the access in every store, and ends the operation.
    async fn change_access(&self, access: ServiceAccess) -> Result<OperationOutcome, StepError> {
        let lease = self.operation.lease;
        let changed = async {
            self.apply_access(access).await?;
            self.observe(Moment::Ending).await?;
            platform::end_access_change(&self.provisioner.platform, lease).await
        };
        if let Err(error) = changed.await {
            return self.try_later(error).await;
        }
        info!(operation.id = %lease.operation_id, tenant.id = %lease.tenant_id, ?access, "the services' access is changed");
        self.observe(Moment::Ended).await?;
        Ok(OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true })
    }

    /// Changes the access in every store, each of which is tried even if another one is down. Open breakers do not matter: this is
    /// urgent, and seldom.
    pub(super) async fn apply_access(&self, access: ServiceAccess) -> Result<(), StepError> {
        // Without a placement, there are no databases.
        let Some(placement) = self.operation.placement.clone() else { return Ok(()) };
        let context = self.context(placement);
        let (postgres, mongo) =
            join!(self.apply(&context, PostgresqlAccess(access)), self.apply(&context, MongodbAccess(access)));
        StepError::worse(postgres, mongo)
    }

    /// Postpones an operation that has no rollback, whatever the error is.
    pub(super) async fn try_later(&self, error: StepError) -> Result<OperationOutcome, StepError> {
        if error.is_fenced() {
            return Err(error);
        }
        self.postpone(error).await
    }
}
