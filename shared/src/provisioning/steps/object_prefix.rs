//! The tenant's prefix in the bucket.
//!
//! A prefix needs no making. The step proves that the bucket takes the tenant's objects, by an empty marker of this
//! operation's own, and undo removes that marker, not the prefix: an object store cannot refuse a request that comes late,
//! and a late removal of everything under the prefix would meet the objects of a tenant that was retried and is in use.
//! A late write of the marker is taken back by the worker that did it, as it finds the operation turned round.

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{Delete, ObjectIdentifier},
};

use crate::{
    error::Error,
    operations::StepName,
    provisioning::{
        fault::StepError,
        step::{Step, StepContext},
    },
};

/// The step.
pub(in crate::provisioning) struct ObjectPrefix;

impl Step for ObjectPrefix {
    const NAME: StepName = StepName::ObjectPrefix;
    const FENCED: bool = false;

    async fn apply(&self, site: &StepContext<'_>) -> Result<(), StepError> {
        let bucket = &site.stores.bucket;
        bucket
            .client()
            .await
            .put_object()
            .bucket(&bucket.name)
            .key(marker(site))
            .body(ByteStream::from_static(b""))
            .send()
            .await
            .map_err(refused)?;
        Ok(())
    }

    async fn undo(&self, site: &StepContext<'_>) -> Result<(), StepError> {
        let bucket = &site.stores.bucket;
        let client = bucket.client().await;
        let key = marker(site);
        // In a bucket with versions a deletion only hides; each version and each deletion has to go.
        loop {
            let page = client.list_object_versions().bucket(&bucket.name).prefix(&key).send().await.map_err(refused)?;
            let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
            let deletions = page.delete_markers().iter().map(|deletion| (deletion.key(), deletion.version_id()));
            let found = versions
                .chain(deletions)
                .filter_map(|(key, version)| {
                    ObjectIdentifier::builder().key(key?).set_version_id(version.map(ToOwned::to_owned)).build().ok()
                })
                .collect::<Vec<_>>();
            if found.is_empty() {
                return Ok(());
            }
            let batch = Delete::builder().set_objects(Some(found)).quiet(true).build().map_err(Error::internal)?;
            let answer = client.delete_objects().bucket(&bucket.name).delete(batch).send().await.map_err(refused)?;
            if let Some(error) = answer.errors().first() {
                let code = error.code().unwrap_or("no code");
                return Err(StepError::transient(format!("object storage kept an object of the tenant: {code}")));
            }
        }
    }
}

/// An object that belongs to this operation alone.
fn marker(site: &StepContext<'_>) -> String {
    format!("{}.landlord/{}", site.lease.tenant_id.object_prefix(), site.lease.operation_id)
}

fn refused<E, R>(error: SdkError<E, R>) -> StepError
where
    E: std::error::Error + Send + Sync + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(ToOwned::to_owned);
    let fault = StepError::from(Error::from(error));
    match code {
        Some(code) => fault.because(format!("object storage answered: {code}")),
        None => fault,
    }
}
