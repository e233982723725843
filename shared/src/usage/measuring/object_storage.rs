//! Measures a tenant's part of the bucket.

use tokio::time::{Instant, timeout_at};

use crate::{
    clients::s3::Bucket,
    error::Error,
    types::TenantId,
    usage::{MeasurementError, measuring::failure::MeasurementFailure},
};

/// Sums the bytes of the current versions of all objects under the tenant's prefix. One request lists a thousand objects; a
/// tenant with more objects than can be listed in time is a failure, not a partial sum.
pub(super) async fn measure(bucket: &Bucket, tenant_id: TenantId, until: Instant) -> Result<i64, MeasurementFailure> {
    let mut pages = 0;
    match timeout_at(until, sum(bucket, &tenant_id.object_prefix(), &mut pages)).await {
        Ok(bytes) => bytes.map_err(|error| MeasurementFailure::of(error, MeasurementError::ObjectStorageUnavailable)),
        Err(_) if pages > 0 => Err(MeasurementFailure::new(MeasurementError::DeadlineExceeded)),
        Err(_) => Err(MeasurementFailure::new(MeasurementError::ObjectStorageUnavailable)),
    }
}

async fn sum(bucket: &Bucket, prefix: &str, pages: &mut u32) -> Result<i64, Error> {
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
