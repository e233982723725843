//! The tenant's prefix in the bucket.
//!
//! A prefix does not have to be created. The step writes an empty marker object that belongs to this operation, which proves
//! that the bucket accepts the tenant's objects. Undo removes the marker and not the whole prefix: an object store cannot refuse
//! a late request, and a late removal of the prefix would delete the objects of a tenant that was retried and is in use. If a
//! worker writes the marker too late, it finds that the operation was rolled back, and removes the marker itself.

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{Delete, ObjectIdentifier},
};

use crate::{
    error::Error,
    operations::{StepName, store::breakers::StoreKind},
    provisioning::step::{Severity, Step, StepContext, StepError},
};

pub(in crate::provisioning) struct ObjectPrefix;

impl Step for ObjectPrefix {
    const NAME: StepName = StepName::ObjectPrefix;
    const STORE: StoreKind = StoreKind::ObjectStorage;
    const FENCED: bool = false;

    async fn apply(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let bucket = &context.stores.bucket;
        bucket
            .client()
            .await
            .put_object()
            .bucket(&bucket.name)
            .key(marker_key(context))
            .body(ByteStream::from_static(b""))
            .send()
            .await
            .map_err(step_error)?;
        Ok(())
    }

    async fn undo(&self, context: &StepContext<'_>) -> Result<(), StepError> {
        let bucket = &context.stores.bucket;
        let client = bucket.client().await;
        let key = marker_key(context);
        // In a bucket with versions, a deletion only hides an object. Every version and every delete marker must be removed.
        loop {
            let page =
                client.list_object_versions().bucket(&bucket.name).prefix(&key).send().await.map_err(step_error)?;
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
            let answer = client.delete_objects().bucket(&bucket.name).delete(batch).send().await.map_err(step_error)?;
            if let Some(error) = answer.errors().first() {
                let code = error.code().unwrap_or("no code");
                return Err(StepError::transient(format!(
                    "object storage did not delete an object of the tenant: {code}"
                )));
            }
        }
    }
}

/// Answers to every request, until somebody changes the credentials, the policy or the bucket.
const REFUSALS: [&str; 4] = ["AccessDenied", "InvalidAccessKeyId", "NoSuchBucket", "SignatureDoesNotMatch"];

/// Key of the object that belongs to one operation alone.
fn marker_key(context: &StepContext<'_>) -> String {
    format!("{}.landlord/{}", context.lease.tenant_id.object_prefix(), context.creator)
}

/// Describes an error of object storage.
pub(in crate::provisioning) fn step_error<E, R>(error: SdkError<E, R>) -> StepError
where
    E: std::error::Error + Send + Sync + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(ToOwned::to_owned);
    let error = StepError::from(Error::from(error));
    match code {
        Some(code) => {
            let severity = if REFUSALS.contains(&code.as_str()) { Severity::Unavailable } else { error.severity };
            StepError { severity, ..error }.with_reason(format!("object storage answered: {code}"))
        }
        None => error,
    }
}
