//! The part of an attempt that removes: the rollback of an operation that cannot succeed, and a cleanup.

use tokio::{join, time::timeout};
use tracing::error;

use super::{
    Moment, OperationOutcome,
    restoring::Source,
    saga::Saga,
    step::{Step, StepContext, StepError, UNDO_TIMEOUT},
    steps::{
        mongodb::MongodbDatabase,
        object_prefix::ObjectPrefix,
        platform,
        postgresql::{AdminUser, PostgresqlDatabase},
    },
};
use crate::{
    operations::{OperationKind, OperationStatus, StepChange},
    tenants,
};

impl Saga<'_> {
    /// Undoes every step in reverse order, whatever its status in the journal, and ends the operation.
    pub(super) async fn roll_back(&self, reason: &str) -> Result<OperationOutcome, StepError> {
        let rolled_back = async {
            self.undo_all().await?;
            self.observe(Moment::Failing).await?;
            platform::fail(&self.provisioner.platform, self.operation.lease, reason).await
        };
        if let Err(error) = rolled_back.await {
            return self.remove_later(error).await;
        }
        self.report_end(1.0);
        self.observe(Moment::Ended).await?;
        Ok(OperationOutcome::Finished { status: OperationStatus::Failed, now: true })
    }

    /// Removes databases that should not exist, and ends the operation. The tenant stays as it is.
    pub(super) async fn clean_up(&self) -> Result<OperationOutcome, StepError> {
        let cleaned = async {
            self.undo_all().await?;
            self.observe(Moment::Ending).await?;
            platform::end_cleanup(&self.provisioner.platform, self.operation.lease).await
        };
        if let Err(error) = cleaned.await {
            return self.remove_later(error).await;
        }
        self.observe(Moment::Ended).await?;
        Ok(OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true })
    }

    /// Postpones a removal, which is retried without limit, whatever the error is.
    pub(super) async fn remove_later(&self, error: StepError) -> Result<OperationOutcome, StepError> {
        if error.is_fenced() {
            return Err(error);
        }
        let lease = self.operation.lease;
        error!(
            operation.id = %lease.operation_id, tenant.id = %lease.tenant_id, cause = error.cause(),
            "the removal failed and will be retried: {}", error.reason
        );
        self.postpone(error).await
    }

    /// Undoes every step in reverse order, whatever its status in the journal.
    async fn undo_all(&self) -> Result<(), StepError> {
        let lease = self.operation.lease;
        // Read again, because the placement may have been committed although this worker received an error.
        let placement = tenants::store::databases::find_placement(&self.platform().await?, lease.operation_id).await?;
        // Without a placement, no other step was started.
        if let Some(placement) = placement {
            let context = self.context(placement);
            self.check_breakers(&context.placement).await?;
            if self.operation.kind.steps().contains(&AdminUser::NAME) {
                self.undo(&context, AdminUser).await?;
            }
            let objects = async {
                if self.operation.kind == OperationKind::Restore {
                    self.undo(&context, self.object_import(Source::Own)).await?;
                }
                self.undo(&context, ObjectPrefix).await
            };
            let (objects, mongo, postgres) =
                join!(objects, self.undo(&context, MongodbDatabase), self.undo(&context, PostgresqlDatabase),);
            StepError::worse(StepError::worse(objects, mongo), postgres)?;
        }
        Ok(())
    }

    pub(super) async fn undo<S: Step>(&self, context: &StepContext<'_>, step: S) -> Result<(), StepError> {
        self.record(S::NAME, StepChange::UndoStarted).await?;
        let undone = async {
            self.observe(Moment::Undoing(S::NAME)).await?;
            timeout(UNDO_TIMEOUT, step.undo(context))
                .await
                .map_err(|_| StepError::timed_out(S::STORE, UNDO_TIMEOUT))??;
            self.observe(Moment::Undone(S::NAME)).await
        };
        let undone = undone.await;
        if S::UNDO_ASKS_STORE {
            self.record_health::<S>(context, &undone).await;
        }
        match undone {
            Ok(()) => self.record(S::NAME, StepChange::Undone).await,
            Err(error) if error.is_fenced() => Err(error),
            Err(error) => {
                self.record(S::NAME, StepChange::UndoFailed(&error.reason)).await?;
                Err(error)
            }
        }
    }
}
