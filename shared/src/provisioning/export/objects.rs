//! The step that lists the tenant's objects, and the removal of files of exports.

use std::time::Duration;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    database::LIMIT,
    files::{self, OpenFile},
};
use crate::{
    error::Error,
    exports::{Content, ObjectList},
    operations::{StepName, store::breakers::StoreKind},
    provisioning::{
        copy::{Lines, ObjectPosition, ObjectReader},
        progress,
        step::{Step, StepContext, StepError},
        steps::object_prefix::step_error,
    },
    types::ExportId,
};

/// A request for a list returns so little that a file of this size takes some seconds.
const LIST_BYTES: u64 = 1 << 20;

/// Keys in one request for a removal.
const BATCH: usize = 1000;

const OBJECTS: &str = "objects";

pub(super) struct ObjectExport(pub(super) ExportId);

#[derive(Debug, Default, Serialize, Deserialize)]
struct ObjectProgress {
    /// When the list was begun, in seconds since 1970.
    listed_at: Option<i64>,
    /// Where the list goes on.
    position: ObjectPosition,
    content: Content,
    object_bytes: u64,
    is_complete: bool,
}

impl Step for ObjectExport {
    const NAME: StepName = StepName::ObjectExport;
    const STORE: StoreKind = StoreKind::ObjectStorage;
    const FENCED: bool = false;
    const LIMIT: Duration = LIMIT;

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let mut progress: ObjectProgress = progress::load(context, Self::NAME).await?;
        progress.listed_at.get_or_insert_with(|| OffsetDateTime::now_utc().unix_timestamp());
        let prefix = context.lease.tenant_id.object_prefix();
        let mut lines = ObjectReader::new(&context.stores.bucket, prefix, progress.position.clone());
        let earlier_bytes = progress.object_bytes;
        while !progress.is_complete {
            let name = format!("objects-{:05}.jsonl.gz", progress.content.files.len() + 1);
            let mut file = OpenFile::new(context, files::key(context, self.0, OBJECTS, &name));
            let filled = async {
                while let Some(line) = lines.next().await? {
                    file.write(&line).await?;
                    if let Some(position) = lines.position().filter(|_| file.is_full(LIST_BYTES)) {
                        return Ok(Some(position.clone()));
                    }
                }
                Ok(None)
            };
            let position = match filled.await {
                Ok(position) => position,
                Err(error) => {
                    file.abort().await;
                    return Err(error);
                }
            };
            let key = file.finish(&mut progress.content).await?;
            progress.is_complete = position.is_none();
            progress.position = position.unwrap_or_default();
            progress.object_bytes = earlier_bytes + lines.object_bytes;
            files::save_files(context, Self::NAME, &progress, key.as_slice()).await?;
        }
        Ok(())
    }

    async fn undo(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        sweep_files(context, &files::step_prefix(context, self.0, OBJECTS), |_| false).await
    }
}

/// What [`ObjectExport`] has listed.
pub(super) async fn listed_objects(context: &StepContext<'_>) -> Result<ObjectList, StepError> {
    let progress: ObjectProgress = progress::load(context, ObjectExport::NAME).await?;
    let Some(listed_at) = progress.listed_at.filter(|_| progress.is_complete) else {
        return Err(StepError::transient("The journal has no record of the listed objects"));
    };
    Ok(ObjectList {
        listed_at: OffsetDateTime::from_unix_timestamp(listed_at).map_err(Error::internal)?,
        prefix: context.lease.tenant_id.object_prefix(),
        object_bytes: progress.object_bytes,
        content: progress.content,
    })
}

/// Removes every version of the files below a prefix, except those with keys that are kept.
pub(super) async fn sweep_files(
    context: &StepContext<'_>,
    prefix: &str,
    is_kept: impl Fn(&str) -> bool,
) -> Result<(), StepError> {
    let bucket = &context.stores.bucket;
    let client = bucket.client().await;
    let (mut key, mut version) = (None, None);
    loop {
        let list = client.list_object_versions().bucket(&bucket.name).prefix(prefix);
        let page = list.set_key_marker(key).set_version_id_marker(version).send().await.map_err(step_error)?;
        let versions = page.versions().iter().map(|one| (one.key(), one.version_id()));
        let markers = page.delete_markers().iter().map(|one| (one.key(), one.version_id()));
        let found = versions.chain(markers).filter_map(|(key, version)| {
            let key = key.filter(|key| !is_kept(key))?;
            ObjectIdentifier::builder().key(key).set_version_id(version.map(ToOwned::to_owned)).build().ok()
        });
        delete(context, found.collect()).await?;
        if page.is_truncated() != Some(true) {
            return Ok(());
        }
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
    }
}

/// Removes every version of these files.
pub(super) async fn remove_files(context: &StepContext<'_>, keys: &[String]) -> Result<(), StepError> {
    for key in keys {
        sweep_files(context, key, |_| false).await?;
    }
    Ok(())
}

async fn delete(context: &StepContext<'_>, objects: Vec<ObjectIdentifier>) -> Result<(), StepError> {
    let bucket = &context.stores.bucket;
    for batch in objects.chunks(BATCH) {
        let batch = Delete::builder().set_objects(Some(batch.to_vec())).quiet(true).build().map_err(Error::internal)?;
        let request = bucket.client().await.delete_objects().bucket(&bucket.name).delete(batch);
        let answer = request.send().await.map_err(step_error)?;
        if let Some(error) = answer.errors().first() {
            let code = error.code().unwrap_or("no code");
            return Err(StepError::transient(format!("object storage did not delete a file of an export: {code}")));
        }
    }
    Ok(())
}
