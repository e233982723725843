//! The step that writes the manifest, and removes the files that it does not name.

use std::{collections::HashSet, time::Duration};

use aws_sdk_s3::primitives::ByteStream;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{
    database::{copied_collections, copied_tables},
    files,
    objects::{listed_objects, sweep_files},
};
use crate::{
    error::Error,
    exports::{self, ExportSummary, ExportedTenant, FORMAT, Manifest},
    operations::{StepName, store::breakers::StoreKind},
    provisioning::{
        progress,
        step::{Step, StepContext, StepError, UNDO_TIMEOUT},
        steps::object_prefix::step_error,
    },
    tenants,
    types::ExportId,
};

const MANIFEST: &str = "manifest";

/// The steps before this one.
const PARTS: [StepName; 3] = [StepName::PostgresqlExport, StepName::MongodbExport, StepName::ObjectExport];

pub(super) struct ExportManifest {
    pub(super) export: ExportId,
    /// How long the bucket keeps a file.
    pub(super) retention: Duration,
}

/// What completes an export.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::provisioning) struct WrittenManifest {
    pub(in crate::provisioning) key: String,
    pub(in crate::provisioning) sha256: String,
    pub(in crate::provisioning) summary: ExportSummary,
    /// When the bucket may remove the oldest of the files.
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::provisioning) expires_at: OffsetDateTime,
}

impl Step for ExportManifest {
    const NAME: StepName = StepName::ExportManifest;
    const STORE: StoreKind = StoreKind::ObjectStorage;
    const FENCED: bool = false;
    const LIMIT: Duration = UNDO_TIMEOUT;

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let id = context.lease.tenant_id;
        let tenant = tenants::store::find(&context.platform.get().await?, id).await?;
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            export_id: self.export,
            operation_id: context.lease.operation_id,
            tenant: ExportedTenant {
                id,
                slug: tenant.slug,
                name: tenant.name,
                country: tenant.country,
                limits: tenant.limits,
                on_limit: tenant.on_limit.as_str().to_owned(),
            },
            written_at: OffsetDateTime::now_utc(),
            postgresql: copied_tables(context).await?,
            mongodb: copied_collections(context).await?,
            objects: listed_objects(context).await?,
        };
        let summary = ExportSummary::from(&manifest);
        // No file is older than the beginning of its copy.
        let oldest = summary.postgresql_at.min(summary.mongodb_at).min(manifest.objects.listed_at);
        let expires_at = oldest + self.retention;
        if expires_at < OffsetDateTime::now_utc() + self.retention / 2 {
            progress::restart(context, &PARTS).await?;
            return Err(StepError::transient("A part of the export is too old, so that all parts are copied again"));
        }
        let mut text = serde_json::to_vec_pretty(&manifest).map_err(Error::internal)?;
        text.push(b'\n');
        let sha256 = format!("{:x}", Sha256::digest(&text));
        let key = files::key(context, self.export, MANIFEST, "manifest.json");
        let bucket = &context.stores.bucket;
        let put = bucket.client().await.put_object().bucket(&bucket.name).key(&key).content_type("application/json");
        put.body(ByteStream::from(text)).send().await.map_err(step_error)?;
        let written = WrittenManifest { key, sha256, summary, expires_at };
        files::save_files(context, Self::NAME, &written, std::slice::from_ref(&written.key)).await?;
        // What earlier attempts have left. This worker may be late itself, so that it keeps what a later one has written.
        let named: HashSet<&str> = manifest.files().map(|file| &*file.key).chain([&*written.key]).collect();
        let is_later = |key: &str| files::token(key).is_none_or(|token| token > context.lease.token);
        let is_kept = |key: &str| named.contains(key) || is_later(key);
        sweep_files(context, &exports::prefix(id, self.export), is_kept).await
    }

    async fn undo(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        sweep_files(context, &files::step_prefix(context, self.export, MANIFEST), |_| false).await
    }
}

/// What [`ExportManifest`] has written.
pub(super) async fn load(context: &StepContext<'_>) -> Result<WrittenManifest, StepError> {
    let written: Option<WrittenManifest> = progress::load(context, ExportManifest::NAME).await?;
    written.ok_or_else(|| StepError::transient("The journal has no record of the manifest"))
}
