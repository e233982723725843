//! The part of an attempt that copies a tenant to files in the bucket.
//!
//! - The keys of an attempt contain its fencing token, so that no file is ever overwritten, and a late worker disturbs nothing. Which manifest
//!   is the valid one is recorded in the transaction that completes the export. A worker that cannot record a file removes it again.
//! - *PostgreSQL* is copied from one snapshot. It ends with the session, so that the next attempt copies all tables again.
//! - *MongoDB* is copied at one cluster time, which is in the journal with the files that are finished. The next attempt goes on after the last
//!   of them. If the cluster has removed its history of that time meanwhile, all collections are copied again at a new one.
//! - The list of *objects* goes on in the same way.
//!
//! An operation `export` that cannot succeed removes its files and ends as failed; the tenant stays as it is. A suspension or a deletion
//! supersedes it: the next worker ends its sessions, and its own worker removes its files when it notices that its lease is lost. What a
//! worker could not remove, such as incomplete uploads, the rules of the bucket remove.
//!
//! If a part is so old that the bucket would remove its files soon after the end of the export, because a store was down in between, all parts
//! are copied again.
//!
//! A purge that exports the tenant does the same steps when the tenant's window is over, and is tried until they succeed. Its export becomes
//! complete in the transaction that begins the removal: the files stay for the whole time for which exports are kept, and an operation whose
//! export is complete is never superseded.

mod database;
mod files;
mod manifest;
mod objects;

use futures::future::BoxFuture;
use tokio::join;
use tracing::info;

use self::{
    database::{MongodbExport, PostgresqlExport},
    manifest::ExportManifest,
    objects::ObjectExport,
};
use super::{
    Moment, OperationOutcome,
    saga::Saga,
    step::{StepContext, StepError},
    steps::platform,
};
use crate::{exports, operations::OperationStatus, types::ExportId};

pub(super) use self::manifest::WrittenManifest;

impl Saga<'_> {
    /// As [`Self::export`], on the heap.
    pub(super) fn export_boxed(&self) -> BoxFuture<'_, Result<OperationOutcome, StepError>> {
        Box::pin(self.export())
    }

    async fn export(&self) -> Result<OperationOutcome, StepError> {
        let lease = self.operation.lease;
        let found = exports::store::find_of_operation(&self.platform().await?, lease.operation_id).await?;
        let Some((export, _)) = found else {
            return self.postpone(StepError::transient("The platform database has no record of the export")).await;
        };
        if self.operation.status == OperationStatus::Undoing {
            return self.remove_export(export, self.operation.reason.as_deref().unwrap_or_default()).await;
        }
        let exported = async {
            self.check_crashes()?;
            let manifest = self.write_export(export).await?;
            self.observe(Moment::Ending).await?;
            platform::end_export(&self.provisioner.platform, lease, export, &manifest).await
        };
        match exported.await {
            Ok(()) => {
                info!(operation.id = %lease.operation_id, tenant.id = %lease.tenant_id, %export, "tenant exported");
                self.observe(Moment::Ended).await?;
                Ok(OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true })
            }
            Err(error) if self.may_pass(&error) => self.postpone(error).await,
            Err(error) => {
                let reason = error.reason.clone();
                self.begin_rollback(error).await?.remove_export(export, &reason).await
            }
        }
    }

    /// Begins the removal of a tenant, after an export if the operation demands one. Returns which export is kept.
    pub(super) async fn export_and_begin_purge(&self) -> Result<Option<ExportId>, StepError> {
        let lease = self.operation.lease;
        let found = exports::store::find_of_operation(&self.platform().await?, lease.operation_id).await?;
        let kept = found.map(|(export, _)| export);
        // An export that is complete was followed by the beginning of the removal.
        let written = if let Some((export, false)) = found { Some(self.write_export(export).await?) } else { None };
        platform::begin_purge(&self.provisioner.platform, lease, kept, written.as_ref()).await?;
        if let (Some(export), Some(_)) = (kept, &written) {
            info!(operation.id = %lease.operation_id, tenant.id = %lease.tenant_id, %export, "tenant exported");
        }
        Ok(kept)
    }

    /// Writes all files, and the manifest last.
    async fn write_export(&self, export: ExportId) -> Result<WrittenManifest, StepError> {
        let context = self.export_context()?;
        self.check_breakers(&context.placement).await?;
        let (postgres, mongo, objects) = join!(
            self.apply(&context, PostgresqlExport(export)),
            self.apply(&context, MongodbExport(export)),
            self.apply(&context, ObjectExport(export)),
        );
        // All branches have ended, so no request is in progress even if one of them failed.
        StepError::worse(StepError::worse(postgres, mongo), objects)?;
        self.apply(&context, ExportManifest { export, retention: self.provisioner.config.export_retention }).await?;
        manifest::load(&context).await
    }

    /// Removes the files of an export, and ends its operation as failed.
    async fn remove_export(&self, export: ExportId, reason: &str) -> Result<OperationOutcome, StepError> {
        let removed = async {
            let context = self.export_context()?;
            self.check_breakers(&context.placement).await?;
            self.undo(&context, ExportManifest { export, retention: self.provisioner.config.export_retention }).await?;
            self.undo(&context, ObjectExport(export)).await?;
            self.undo(&context, MongodbExport(export)).await?;
            self.undo(&context, PostgresqlExport(export)).await?;
            self.observe(Moment::Failing).await?;
            platform::fail_export(&self.provisioner.platform, self.operation.lease, export, reason).await
        };
        if let Err(error) = removed.await {
            return self.remove_later(error).await;
        }
        self.observe(Moment::Ended).await?;
        Ok(OperationOutcome::Finished { status: OperationStatus::Failed, now: true })
    }

    fn export_context(&self) -> Result<StepContext<'_>, StepError> {
        let placement = self.operation.placement.clone();
        let placement = placement.ok_or_else(|| StepError::permanent("The tenant has no databases to export"))?;
        Ok(self.context(placement))
    }
}
