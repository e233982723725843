//! The removal of the tenant's objects, with every version and every delete marker, and of the files of its exports.

use std::time::Duration;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::figures::{Progress, figures};
use crate::{
    error::Error,
    exports,
    operations::{StepName, store::breakers::StoreKind},
    provisioning::{
        step::{Step, StepContext, StepError},
        steps::object_prefix::step_error,
    },
    types::ExportId,
};

pub(super) struct ObjectRemoval {
    /// The export whose files stay.
    pub(super) kept: Option<ExportId>,
}

impl Step for ObjectRemoval {
    const NAME: StepName = StepName::ObjectRemoval;
    const STORE: StoreKind = StoreKind::ObjectStorage;
    // Nothing is created again below the prefix of a tenant that is purged.
    const FENCED: bool = true;
    /// As long as the invocation lasts. The next one goes on where this one stopped.
    const LIMIT: Duration = Duration::from_hours(1);

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        sweep(context, Self::NAME, self.kept).await
    }

    /// Does nothing: a purge has no rollback.
    async fn undo(&self, _: &StepContext<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

/// A version of an object, or a delete marker.
struct Found {
    key: String,
    version: Option<String>,
    /// `None` of a delete marker.
    bytes: Option<i64>,
}

/// Removes the files of all exports but one, and all objects of the tenant. What a page contains is recorded before it is removed.
pub(super) async fn sweep(context: &StepContext<'_>, step: StepName, kept: Option<ExportId>) -> Result<(), StepError> {
    let nothing =
        || Progress { existed: figures([("objects", 0), ("delete_markers", 0), ("bytes", 0)]), ..Progress::default() };
    let mut progress = Progress::load(context, step).await?.unwrap_or_else(nothing);
    // In the order of the keys, in which they are counted.
    for prefix in list_exports(context, kept).await? {
        sweep_prefix(context, step, &prefix, &mut progress).await?;
    }
    sweep_prefix(context, step, &context.lease.tenant_id.object_prefix(), &mut progress).await
}

/// The prefixes of the tenant's exports, except one.
pub(super) async fn list_exports(context: &StepContext<'_>, kept: Option<ExportId>) -> Result<Vec<String>, StepError> {
    let (bucket, id) = (&context.stores.bucket, context.lease.tenant_id);
    let client = bucket.client().await;
    let kept = kept.map(|export| exports::prefix(id, export));
    let (mut key, mut version, mut found) = (None, None, Vec::new());
    loop {
        let list = client.list_object_versions().bucket(&bucket.name).prefix(exports::prefix_of_tenant(id));
        let list = list.delimiter("/").set_key_marker(key).set_version_id_marker(version);
        let page = list.send().await.map_err(step_error)?;
        let prefixes = page.common_prefixes().iter().filter_map(|prefix| prefix.prefix());
        found.extend(prefixes.filter(|prefix| kept.as_deref() != Some(*prefix)).map(ToOwned::to_owned));
        if page.is_truncated() != Some(true) {
            found.sort_unstable();
            return Ok(found);
        }
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
    }
}

/// Removes page after page from the beginning of a prefix, until nothing is left.
async fn sweep_prefix(
    context: &StepContext<'_>,
    step: StepName,
    prefix: &str,
    progress: &mut Progress,
) -> Result<(), StepError> {
    let bucket = &context.stores.bucket;
    let client = bucket.client().await;
    loop {
        let page =
            client.list_object_versions().bucket(&bucket.name).prefix(prefix).send().await.map_err(step_error)?;
        let versions = page.versions().iter().filter_map(|one| {
            let version = one.version_id().map(ToOwned::to_owned);
            Some(Found { key: one.key()?.to_owned(), version, bytes: Some(one.size().unwrap_or(0)) })
        });
        let markers = page.delete_markers().iter().filter_map(|one| {
            Some(Found { key: one.key()?.to_owned(), version: one.version_id().map(ToOwned::to_owned), bytes: None })
        });
        let mut found: Vec<_> = versions.chain(markers).collect();
        found.sort_by(|one, other| one.key.cmp(&other.key));
        progress.count(&found);
        progress.save(context, step).await?;
        if found.is_empty() {
            return Ok(());
        }
        let objects = found
            .into_iter()
            .filter_map(|one| ObjectIdentifier::builder().key(one.key).set_version_id(one.version).build().ok());
        let batch = Delete::builder().set_objects(Some(objects.collect())).quiet(true).build();
        let batch = batch.map_err(Error::internal)?;
        let answer = client.delete_objects().bucket(&bucket.name).delete(batch).send().await.map_err(step_error)?;
        if let Some(error) = answer.errors().first() {
            let code = error.code().unwrap_or("no code");
            return Err(StepError::transient(format!("object storage did not delete an object of the tenant: {code}")));
        }
    }
}

impl Progress {
    /// Adds what is new. Pages are in the order of the keys, so that an earlier worker has counted all smaller keys, and the recorded
    /// versions of the greatest one.
    fn count(&mut self, found: &[Found]) {
        for one in found {
            let version = one.version.clone().unwrap_or_default();
            if one.key < self.key || one.key == self.key && self.versions.contains(&version) {
                continue;
            }
            if one.key > self.key {
                self.key.clone_from(&one.key);
                self.versions.clear();
            }
            self.versions.push(version);
            let kind = match one.bytes {
                Some(_) if one.key.starts_with(exports::PREFIX) => "export_files",
                Some(_) => "objects",
                None => "delete_markers",
            };
            *self.existed.entry(kind.to_owned()).or_default() += 1;
            *self.existed.entry("bytes".to_owned()).or_default() += one.bytes.unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(of: &[(&str, &str, Option<i64>)]) -> Vec<Found> {
        let one = |(key, version, bytes): &(&str, &str, Option<i64>)| Found {
            key: (*key).to_owned(),
            version: Some((*version).to_owned()),
            bytes: *bytes,
        };
        of.iter().map(one).collect()
    }

    #[test]
    fn what_was_counted_before_a_worker_died_is_not_counted_again() {
        let mut progress = Progress::default();
        progress.count(&found(&[("a", "1", Some(5)), ("b", "2", Some(7)), ("b", "1", None)]));
        // The worker died before it removed these, or after it had removed some.
        progress.count(&found(&[("b", "1", None), ("b", "0", Some(1)), ("c", "1", Some(2))]));
        assert_eq!(progress.existed, figures([("objects", 4), ("delete_markers", 1), ("bytes", 15)]));
    }
}
