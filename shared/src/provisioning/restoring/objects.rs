//! Copies objects below a tenant's prefix: those in the list of an export, or those of another tenant.
//!
//! Only what is lacking is copied, so that nothing is overwritten, and a page that a worker has begun can be begun again.
//!
//! An object that object storage refuses to copy for good makes a restore fail. A promotion leaves it out and counts it, because the tenants
//! have their databases already, and nothing could end a promotion that waits for it.
//!
//! Object storage cannot refuse a late request. A late worker therefore removes what it has copied: everything below the prefix of a copy
//! that has failed or is deleted, which never gets other objects.

use std::{collections::HashSet, time::Duration};

use aws_sdk_s3::{
    config::{Builder, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    types::{Delete, ObjectIdentifier},
};
use futures::{StreamExt, TryStreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::{
    large::Upload,
    lines::{FileLines, lines_of, skip_lines},
};
use crate::{
    clients::s3::Bucket,
    error::Error,
    exports::{ObjectLine, ObjectList},
    operations::{StepName, store::breakers::StoreKind},
    provisioning::{
        progress::{load, save},
        step::{Step, StepContext, StepError},
        steps::object_prefix::step_error,
    },
    tenants::{self, TenantStatus},
    types::TenantId,
};

/// A key has at most 1 KiB, and JSON makes at most six bytes of one.
const MAX_LINE: usize = 64 << 10;

/// Objects that are compared, copied and recorded at a time.
const PAGE: usize = 500;

/// Requests at once.
const CONCURRENCY: usize = 16;

/// Limit for copying one object or part. The answer ends only when everything is copied.
const COPY_TIMEOUT: Duration = Duration::from_secs(45);

/// Answers about a version that does not exist any more.
const GONE: [&str; 3] = ["NoSuchKey", "NoSuchVersion", "NotFound"];

/// Answers that every later attempt gets too: the object is archived, is encrypted with a key that the request does not have, is disabled
/// or does not exist any more, or is too large.
const REFUSED: [&str; 7] = [
    "EntityTooLarge",
    "InvalidObjectState",
    "InvalidRequest",
    "KMS.DisabledException",
    "KMS.InvalidKeyUsageException",
    "KMS.KMSInvalidStateException",
    "KMS.NotFoundException",
];

/// Answers about an object in parts of which the source has changed, or whose parts the bucket has removed.
const OUTDATED: [&str; 2] = ["NoSuchUpload", "PreconditionFailed"];

/// What a path of a URL keeps as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Which objects are copied.
pub(in crate::provisioning) enum Source<'a> {
    /// The versions that an export has listed.
    List(&'a ObjectList),
    /// The present objects of a tenant.
    Tenant(TenantId),
    /// None: what was copied is removed.
    Own,
}

pub(in crate::provisioning) struct ObjectImport<'a> {
    pub(in crate::provisioning) source: Source<'a>,
    /// An object that is larger is copied in parts of this size.
    pub(in crate::provisioning) part_bytes: u64,
}

/// How far the import is, as recorded in the journal.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Objects of the source that are done.
    done: u64,
    /// The last of them, below the prefix.
    #[serde(default)]
    key: Option<String>,
    copied: u64,
    /// Those that do not exist any more.
    missing: u64,
    /// Those that object storage refuses to copy.
    #[serde(default)]
    refused: u64,
    /// The large object that is being copied.
    #[serde(default)]
    pub(super) upload: Option<Upload>,
}

impl Step for ObjectImport<'_> {
    const NAME: StepName = StepName::ObjectImport;
    const STORE: StoreKind = StoreKind::ObjectStorage;
    const FENCED: bool = false;
    /// As long as the invocation lasts. The next one goes on where this one stopped.
    const LIMIT: Duration = Duration::from_hours(1);

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let progress = load(context, Self::NAME).await?;
        let is_restore = matches!(self.source, Source::List(_));
        let mut import = Import { context, progress, from: String::new(), part_bytes: self.part_bytes, is_restore };
        match &self.source {
            Source::List(list) => import.copy_list(list).await,
            Source::Tenant(tenant) => import.copy_tenant(*tenant).await,
            Source::Own => Ok(()),
        }
    }

    /// Removes everything below the prefix, unless the tenant may be in use.
    async fn undo(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let platform = context.platform.get().await?;
        let status = tenants::store::find(&platform, context.lease.tenant_id).await?.status;
        drop(platform);
        let is_given_up = match self.source {
            Source::List(_) | Source::Own => true,
            Source::Tenant(_) => status == TenantStatus::Deleted,
        };
        if is_given_up { sweep(context).await } else { Ok(()) }
    }
}

/// Removes all versions and delete markers below the prefix of a copy that was never active.
async fn sweep(context: &StepContext<'_>) -> Result<(), StepError> {
    let bucket = &context.stores.bucket;
    let (client, prefix) = (bucket.client().await, context.lease.tenant_id.object_prefix());
    loop {
        let list = client.list_object_versions().bucket(&bucket.name).prefix(&prefix);
        let page = list.send().await.map_err(step_error)?;
        let versions = page.versions().iter().map(|one| (one.key(), one.version_id()));
        let markers = page.delete_markers().iter().map(|one| (one.key(), one.version_id()));
        let found: Vec<_> = versions
            .chain(markers)
            .filter_map(|(key, version)| {
                ObjectIdentifier::builder().key(key?).set_version_id(version.map(ToOwned::to_owned)).build().ok()
            })
            .collect();
        if found.is_empty() {
            return Ok(());
        }
        let batch = Delete::builder().set_objects(Some(found)).quiet(true).build().map_err(Error::internal)?;
        let answer = client.delete_objects().bucket(&bucket.name).delete(batch).send().await.map_err(step_error)?;
        if let Some(error) = answer.errors().first() {
            let code = error.code().unwrap_or("no code");
            return Err(StepError::transient(format!("object storage did not delete an object of the copy: {code}")));
        }
    }
}

/// The number of objects of a restored copy that do not exist any more.
pub(super) async fn count_missing(context: &StepContext<'_>) -> Result<u64, StepError> {
    Ok(load::<Progress>(context, StepName::ObjectImport).await?.missing)
}

/// The number of objects that a promotion could not copy.
pub(super) async fn count_refused(context: &StepContext<'_>) -> Result<u64, StepError> {
    Ok(load::<Progress>(context, StepName::ObjectImport).await?.refused)
}

/// An object to copy.
pub(super) struct Wanted {
    /// Below the prefix.
    pub(super) key: String,
    pub(super) version: Option<String>,
    bytes: u64,
}

/// Why an object was not copied.
pub(super) enum NotCopied {
    /// It does not exist any more.
    Gone,
    /// Object storage gives this answer to every attempt.
    Refused(String),
    /// The parts that are copied are of no use any more.
    Outdated,
    Failed(StepError),
}

impl From<StepError> for NotCopied {
    fn from(error: StepError) -> Self {
        Self::Failed(error)
    }
}

impl<E, R> From<SdkError<E, R>> for NotCopied
where
    E: std::error::Error + Send + Sync + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    fn from(error: SdkError<E, R>) -> Self {
        match error.as_service_error().and_then(ProvideErrorMetadata::code) {
            Some(code) if GONE.contains(&code) => Self::Gone,
            Some(code) if REFUSED.contains(&code) => Self::Refused(code.to_owned()),
            Some(code) if OUTDATED.contains(&code) => Self::Outdated,
            _ => Self::Failed(step_error(error)),
        }
    }
}

pub(super) struct Import<'a> {
    pub(super) context: &'a StepContext<'a>,
    pub(super) progress: Progress,
    /// The prefix of the source.
    from: String,
    pub(super) part_bytes: u64,
    is_restore: bool,
}

impl Import<'_> {
    async fn copy_list(&mut self, list: &ObjectList) -> Result<(), StepError> {
        self.from.clone_from(&list.prefix);
        let mut skip = self.progress.done;
        let mut page = Vec::with_capacity(PAGE);
        for file in &list.content.files {
            let mut lines = FileLines::open(&self.context.stores.bucket, file, MAX_LINE).await?;
            while let Some(block) = lines.next().await? {
                for line in lines_of(&skip_lines(block, &mut skip)) {
                    let object: ObjectLine = serde_json::from_slice(line).map_err(Error::internal)?;
                    page.push(Wanted { key: object.key, version: object.version_id, bytes: object.bytes });
                    if page.len() == PAGE {
                        self.copy_page(std::mem::take(&mut page)).await?;
                    }
                }
            }
        }
        self.copy_page(page).await?;
        let (found, expected) = (self.progress.done, list.content.sums.lines);
        if found == expected {
            return Ok(());
        }
        Err(StepError::permanent(format!("The list of objects has {found} lines, and {expected} in the manifest")))
    }

    async fn copy_tenant(&mut self, tenant: TenantId) -> Result<(), StepError> {
        if tenant == self.context.lease.tenant_id {
            return save(self.context, StepName::ObjectImport, &self.progress).await;
        }
        self.from = tenant.object_prefix();
        loop {
            let page = self.list(&self.from, self.progress.key.as_deref()).await?;
            if page.is_empty() {
                return Ok(());
            }
            self.copy_page(page).await?;
        }
    }

    /// Copies those objects of a page that are lacking, and records it. The keys are in the order of the bucket.
    async fn copy_page(&mut self, page: Vec<Wanted>) -> Result<(), StepError> {
        let Some(last) = page.last().map(|object| object.key.clone()) else { return Ok(()) };
        let present = self.list_present(&last).await?;
        let done = page.len() as u64;
        // Markers of operations belong to the platform.
        let lacking: Vec<_> = page
            .into_iter()
            .filter(|object| !present.contains(&object.key) && !object.key.starts_with(".landlord/"))
            .collect();
        let (large, small): (Vec<_>, Vec<_>) = lacking.into_iter().partition(|object| object.bytes > self.part_bytes);
        let this = &*self;
        let mut results: Vec<(Wanted, Result<(), NotCopied>)> = stream::iter(small)
            .map(|object| async move {
                match this.copy(&object).await {
                    Err(NotCopied::Failed(error)) => Err(error),
                    result => Ok((object, result)),
                }
            })
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        for object in large {
            match self.copy_in_parts(&object).await {
                Err(NotCopied::Failed(error)) => return Err(error),
                result => results.push((object, result)),
            }
        }
        // Counted only now, because a worker that takes over begins the page again.
        for (object, result) in results {
            self.count(&object, result)?;
        }
        self.progress.done += done;
        self.progress.key = Some(last);
        self.progress.upload = None;
        save(self.context, StepName::ObjectImport, &self.progress).await
    }

    fn count(&mut self, object: &Wanted, result: Result<(), NotCopied>) -> Result<(), StepError> {
        match result {
            Ok(()) => self.progress.copied += 1,
            Err(NotCopied::Gone) => self.progress.missing += 1,
            Err(NotCopied::Refused(code)) => {
                let (lease, key) = (self.context.lease, self.source_key(object));
                tracing::error!(
                    operation.id = %lease.operation_id, tenant.id = %lease.tenant_id, key, code,
                    "object storage refuses to copy an object"
                );
                if self.is_restore {
                    return Err(StepError::permanent(format!(
                        "Object storage refuses to copy an object of the export: {code}; the log of provision-tenant contains its key"
                    )));
                }
                self.progress.refused += 1;
            }
            Err(NotCopied::Outdated) => {
                return Err(StepError::transient(
                    "An object has changed while it was copied in parts, and is copied again",
                ));
            }
            Err(NotCopied::Failed(error)) => return Err(error),
        }
        Ok(())
    }

    /// Copies an object with one request.
    async fn copy(&self, object: &Wanted) -> Result<(), NotCopied> {
        let bucket: &Bucket = &self.context.stores.bucket;
        let copy = bucket.client().await.copy_object().bucket(&bucket.name).copy_source(self.source_of(object));
        copy.key(self.target_key(object)).customize().config_override(limits()).send().await?;
        Ok(())
    }

    pub(super) fn source_key(&self, object: &Wanted) -> String {
        format!("{}{}", self.from, object.key)
    }

    pub(super) fn target_key(&self, object: &Wanted) -> String {
        format!("{}{}", self.context.lease.tenant_id.object_prefix(), object.key)
    }

    /// The source in the form that a request for a copy needs.
    pub(super) fn source_of(&self, object: &Wanted) -> String {
        let source = format!("{}/{}", self.context.stores.bucket.name, self.source_key(object));
        let mut source = utf8_percent_encode(&source, KEPT).to_string();
        if let Some(version) = &object.version {
            source.push_str("?versionId=");
            source.push_str(version);
        }
        source
    }

    /// The keys of the tenant from the last recorded one up to `last`, below the prefix.
    async fn list_present(&self, last: &str) -> Result<HashSet<String>, StepError> {
        let (prefix, mut present) = (self.context.lease.tenant_id.object_prefix(), HashSet::new());
        let mut after = self.progress.key.clone();
        loop {
            let page = self.list(&prefix, after.as_deref()).await?;
            let Some(end) = page.last().map(|object| object.key.clone()) else { return Ok(present) };
            present.extend(page.into_iter().map(|object| object.key).filter(|key| &**key <= last));
            if &*end >= last {
                return Ok(present);
            }
            after = Some(end);
        }
    }

    /// The next objects below a prefix, after a key.
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Wanted>, StepError> {
        let bucket = &self.context.stores.bucket;
        let list = bucket.client().await.list_objects_v2().bucket(&bucket.name).prefix(prefix);
        let list = list.max_keys(i32::try_from(PAGE).unwrap_or(i32::MAX));
        let list = list.set_start_after(after.map(|key| format!("{prefix}{key}")));
        let page = list.send().await.map_err(step_error)?;
        let objects = page.contents().iter().filter_map(|object| {
            let key = object.key()?.strip_prefix(prefix)?.to_owned();
            Some(Wanted {
                key,
                version: None,
                bytes: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            })
        });
        Ok(objects.collect())
    }
}

/// A copy takes longer than the other requests to object storage.
pub(super) fn limits() -> Builder {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(COPY_TIMEOUT).operation_timeout(COPY_TIMEOUT * 2);
    Builder::new().timeout_config(timeouts.build())
}
