//! The tenant's part of the bucket.

use shared::{clients::s3::Bucket, error::Error, types::TenantId, usage::MeasurementError};
use tokio::time::{Instant, timeout_at};

use super::InputError;

/// The bytes of all objects under the tenant's prefix, in their current versions. A thousand objects are a request; of a
/// tenant that has more than can be listed in time, nothing is said.
pub(super) async fn measure(bucket: &Bucket, tenant_id: TenantId, until: Instant) -> Result<i64, InputError> {
    let mut pages = 0;
    match timeout_at(until, list(bucket, &tenant_id.object_prefix(), &mut pages)).await {
        Ok(listed) => listed.map_err(|error| InputError::of(error, MeasurementError::ObjectStorageUnavailable)),
        Err(_) if pages > 0 => Err(InputError::new(MeasurementError::DeadlineExceeded)),
        Err(_) => Err(InputError::new(MeasurementError::ObjectStorageUnavailable)),
    }
}

async fn list(bucket: &Bucket, prefix: &str, pages: &mut u32) -> Result<i64, Error> {
    let client = bucket.client().await;
    let (mut bytes, mut continuation) = (0_i64, None);
    loop {
        let page = client
            .list_objects_v2()
            .bucket(&bucket.name)
            .prefix(prefix)
            .set_continuation_token(continuation)
            .send()
            .await?;
        *pages += 1;
        for object in page.contents() {
            bytes = bytes.saturating_add(object.size().unwrap_or(0));
        }
        continuation = page.next_continuation_token().map(ToOwned::to_owned);
        if continuation.is_none() {
            return Ok(bytes);
        }
    }
}
