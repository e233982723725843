//! Copies objects below a tenant's prefix: those in the list of an export, or those of another tenant.
//!
//! Only what is lacking is copied, so that nothing is overwritten, and a page that a worker has begun can be begun again.
//!
//! Object storage cannot refuse a late request. A late worker therefore removes what it has copied: everything below the prefix of a copy
//! that has failed or is deleted, which never gets other objects.

use std::{collections::HashSet, time::Duration};

use aws_sdk_s3::{
    config::{Builder, timeout::TimeoutConfig},
    error::ProvideErrorMetadata,
    types::{Delete, ObjectIdentifier},
};
use futures::{StreamExt, TryStreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::lines::{FileLines, lines_of, skip_lines};
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

/// Objects that are compared, copied and recorded at a time.
const PAGE: usize = 500;

/// Requests at once.
const CONCURRENCY: usize = 16;

/// Limit for copying one object. The server copies up to 5 GiB in one request, and the answer ends only then.
const COPY_TIMEOUT: Duration = Duration::from_secs(45);

/// Answers about a version that does not exist any more.
const GONE: [&str; 3] = ["NoSuchKey", "NoSuchVersion", "NotFound"];

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

pub(in crate::provisioning) struct ObjectImport<'a>(pub(in crate::provisioning) Source<'a>);

/// How far the import is, as recorded in the journal.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// Objects of the source that are done.
    done: u64,
    /// The last of them, below the prefix.
    #[serde(default)]
    key: Option<String>,
    copied: u64,
    /// Those that do not exist any more.
    missing: u64,
}

impl Step for ObjectImport<'_> {
    const NAME: StepName = StepName::ObjectImport;
    const STORE: StoreKind = StoreKind::ObjectStorage;
    const FENCED: bool = false;
    /// As long as the invocation lasts. The next one goes on where this one stopped.
    const LIMIT: Duration = Duration::from_hours(1);

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let mut import = Import { context, progress: load(context, Self::NAME).await?, from: String::new() };
        match &self.0 {
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
        let is_given_up = match self.0 {
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

/// An object to copy.
struct Wanted {
    /// Below the prefix.
    key: String,
    version: Option<String>,
}

struct Import<'a> {
    context: &'a StepContext<'a>,
    progress: Progress,
    /// The prefix of the source.
    from: String,
}

impl Import<'_> {
    async fn copy_list(&mut self, list: &ObjectList) -> Result<(), StepError> {
        self.from.clone_from(&list.prefix);
        let mut skip = self.progress.done;
        let mut page = Vec::with_capacity(PAGE);
        for file in &list.content.files {
            let mut lines = FileLines::open(&self.context.stores.bucket, file).await?;
            while let Some(block) = lines.next().await? {
                for line in lines_of(&skip_lines(block, &mut skip)) {
                    let object: ObjectLine = serde_json::from_slice(line).map_err(Error::internal)?;
                    page.push(Wanted { key: object.key, version: object.version_id });
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
            let page = page.into_iter().map(|key| Wanted { key, version: None }).collect();
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
        let this = &*self;
        let copied: Vec<bool> = stream::iter(lacking)
            .map(|object| async move { this.copy(&object).await })
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await?;
        let existed = copied.iter().filter(|existed| **existed).count() as u64;
        self.progress.done += done;
        self.progress.copied += existed;
        self.progress.missing += copied.len() as u64 - existed;
        self.progress.key = Some(last);
        save(self.context, StepName::ObjectImport, &self.progress).await
    }

    /// Copies an object. `false` if it does not exist any more.
    async fn copy(&self, object: &Wanted) -> Result<bool, StepError> {
        let bucket: &Bucket = &self.context.stores.bucket;
        let source = format!("{}/{}{}", bucket.name, self.from, object.key);
        let mut source = utf8_percent_encode(&source, KEPT).to_string();
        if let Some(version) = &object.version {
            source.push_str("?versionId=");
            source.push_str(version);
        }
        let timeouts =
            TimeoutConfig::builder().operation_attempt_timeout(COPY_TIMEOUT).operation_timeout(COPY_TIMEOUT * 2);
        let copy = bucket.client().await.copy_object().bucket(&bucket.name).copy_source(source);
        let copy = copy.key(format!("{}{}", self.context.lease.tenant_id.object_prefix(), object.key));
        match copy.customize().config_override(Builder::new().timeout_config(timeouts.build())).send().await {
            Ok(_) => Ok(true),
            Err(error) => {
                let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
                if code.is_some_and(|code| GONE.contains(&code)) { Ok(false) } else { Err(step_error(error)) }
            }
        }
    }

    /// The keys of the tenant from the last recorded one up to `last`, below the prefix.
    async fn list_present(&self, last: &str) -> Result<HashSet<String>, StepError> {
        let (prefix, mut present) = (self.context.lease.tenant_id.object_prefix(), HashSet::new());
        let mut after = self.progress.key.clone();
        loop {
            let page = self.list(&prefix, after.as_deref()).await?;
            let Some(end) = page.last().cloned() else { return Ok(present) };
            present.extend(page.into_iter().filter(|key| &**key <= last));
            if &*end >= last {
                return Ok(present);
            }
            after = Some(end);
        }
    }

    /// The next keys below a prefix, without it, after one of them.
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, StepError> {
        let bucket = &self.context.stores.bucket;
        let list = bucket.client().await.list_objects_v2().bucket(&bucket.name).prefix(prefix);
        let list = list.max_keys(i32::try_from(PAGE).unwrap_or(i32::MAX));
        let list = list.set_start_after(after.map(|key| format!("{prefix}{key}")));
        let page = list.send().await.map_err(step_error)?;
        let keys =
            page.contents().iter().filter_map(|object| object.key()?.strip_prefix(prefix).map(ToOwned::to_owned));
        Ok(keys.collect())
    }
}
