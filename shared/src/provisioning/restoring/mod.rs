//! The part of an attempt that fills a restored copy, and the part that completes a promotion.
//!
//! A restore is a provisioning whose databases are filled from the files of an export, and which ends with a suspended tenant:
//!
//! 1. The manifest is read and compared with its hash before anything is created. The hash of each file is compared while it is read. What was
//!    changed makes the operation fail, and the copy is removed as after a failed provisioning.
//! 2. Each import goes on where an earlier worker has stopped. In PostgreSQL and MongoDB, what is imported and how far commit together, so
//!    that a late worker adds nothing twice. Objects are copied only if they are lacking.
//! 3. The comparison reads both databases with the readers of the export, and compares counts and checksums with the manifest.
//!
//! A failed copy is never provisioned again, unlike a tenant. Everything below its prefix can therefore be removed at any time, also by a late
//! worker.

mod comparison;
mod large;
mod lines;
mod mongodb;
mod objects;
mod postgresql;

use futures::future::BoxFuture;
use tokio::join;
use tracing::info;

pub(super) use self::objects::{ObjectImport, Source};
use self::{comparison::Comparison, mongodb::MongodbImport, postgresql::PostgresqlImport};
use super::{
    Moment, OperationOutcome,
    saga::Saga,
    step::{ServiceAccess, StepContext, StepError},
    steps::{mongodb::MongodbDatabase, object_prefix::ObjectPrefix, platform, postgresql::PostgresqlDatabase},
};
use crate::{
    error::{Conflict, Error},
    exports::{self, Manifest},
    operations::{OperationStatus, StepName},
    tenants,
};

impl Saga<'_> {
    /// As [`Self::restore`], on the heap.
    pub(super) fn restore_boxed(&self) -> BoxFuture<'_, Result<(), StepError>> {
        Box::pin(self.restore())
    }

    async fn restore(&self) -> Result<(), StepError> {
        self.check_crashes()?;
        let manifest = self.read_manifest().await?;
        let schema_version = manifest.postgresql.schema_version;
        let placement = self.place(schema_version).await?;
        let context = StepContext { schema_version, ..self.context(placement) };
        self.check_breakers(&context.placement).await?;
        let (postgres, mongo, objects) = join!(
            async {
                self.apply(&context, PostgresqlDatabase).await?;
                self.apply(&context, PostgresqlImport(&manifest.postgresql)).await
            },
            async {
                self.apply(&context, MongodbDatabase).await?;
                self.apply(&context, MongodbImport(&manifest.mongodb)).await
            },
            async {
                self.apply(&context, ObjectPrefix).await?;
                self.apply(&context, self.object_import(Source::List(&manifest.objects))).await
            },
        );
        // All branches have ended, so no request is in progress even if one of them failed.
        StepError::worse(StepError::worse(postgres, mongo), objects)?;
        self.apply(&context, Comparison(&manifest)).await?;
        let missing = objects::count_missing(&context).await?;
        let activated = async {
            self.observe(Moment::Applying(StepName::Activation)).await?;
            platform::end_restore(&self.provisioner.platform, self.operation.lease, missing).await
        };
        self.record_failure(StepName::Activation, activated.await).await
    }

    pub(super) fn object_import<'a>(&self, source: Source<'a>) -> ObjectImport<'a> {
        ObjectImport { source, part_bytes: self.provisioner.config.copy_part_bytes }
    }

    /// An export that has expired or was damaged since the request is a permanent error.
    async fn read_manifest(&self) -> Result<Manifest, StepError> {
        let permanent = |error: Error| match error {
            Error::Conflict(conflict) => StepError::permanent(conflict.to_string()),
            Error::NotFound { .. } => StepError::permanent("The export does not exist any more"),
            other => other.into(),
        };
        let platform = self.platform().await?;
        let tenant = tenants::store::find(&platform, self.operation.lease.tenant_id).await?;
        let source = tenant.restored_from.ok_or_else(|| permanent(Conflict::NotARestoredCopy.into()))?;
        let export = exports::store::find(&platform, source.tenant_id, source.export_id).await;
        drop(platform);
        let bucket = &self.provisioner.stores.bucket;
        let stored = exports::read_manifest(bucket, &export.map_err(permanent)?).await.map_err(permanent)?;
        Ok(stored.manifest)
    }

    /// As [`Self::promote`], on the heap.
    pub(super) fn promote_boxed(&self) -> BoxFuture<'_, Result<OperationOutcome, StepError>> {
        Box::pin(self.promote())
    }

    /// Completes a promotion: the databases that the tenant has got stay closed for services, and the tenant gets the objects that it lacks.
    async fn promote(&self) -> Result<OperationOutcome, StepError> {
        let lease = self.operation.lease;
        let promoted = async {
            self.apply_access(ServiceAccess::Revoked).await?;
            let mut refused = 0;
            if let Some(placement) = self.operation.placement.clone() {
                let context = self.context(placement);
                // The databases were created for the copy, whose objects are still below the prefix of its own. After a promotion that takes another
                // one back, they are the tenant's own.
                let platform = self.platform().await?;
                let creator = tenants::store::restored::find_requesting_tenant(&platform, context.creator).await?;
                drop(platform);
                self.apply(&context, self.object_import(Source::Tenant(creator))).await?;
                refused = objects::count_refused(&context).await?;
            }
            self.observe(Moment::Ending).await?;
            platform::end_promotion(&self.provisioner.platform, lease, refused).await
        };
        if let Err(error) = promoted.await {
            return self.try_later(error).await;
        }
        info!(operation.id = %lease.operation_id, tenant.id = %lease.tenant_id, "the promotion is complete");
        self.observe(Moment::Ended).await?;
        Ok(OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true })
    }
}
