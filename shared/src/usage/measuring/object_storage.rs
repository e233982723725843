//! Measures a tenant's part of the bucket.

use tokio::time::{Instant, timeout_at};

use crate::{
    clients::s3::Bucket,
    error::Error,
    types::TenantId,
    usage::{MeasurementError, ObjectListing, measuring::failure::MeasurementFailure},
};

/// Sums the bytes of the current versions of all objects under the tenant's prefix. One request lists a thousand objects. A tenant may
/// have more objects than can be listed in time: then the result is how far the listing came, from where the next one goes on.
pub(super) async fn measure(
    bucket: &Bucket,
    tenant_id: TenantId,
    begun: Option<ObjectListing>,
    until: Instant,
) -> Result<ObjectListing, MeasurementFailure> {
    let mut listing = begun.unwrap_or_default();
    let before = listing.after.clone();
    let listed = timeout_at(until, sum(bucket, &tenant_id.object_prefix(), &mut listing)).await;
    match listed {
        Ok(Ok(())) => Ok(listing),
        // What was listed before the failure is not lost.
        _ if listing.after != before => Ok(listing),
        Ok(Err(error)) => Err(MeasurementFailure::of(error, MeasurementError::ObjectStorageUnavailable)),
        Err(_) => Err(MeasurementFailure::new(MeasurementError::ObjectStorageUnavailable)),
    }
}

/// Lists from where `listing` is to the end, and changes it with each page.
async fn sum(bucket: &Bucket, prefix: &str, listing: &mut ObjectListing) -> Result<(), Error> {
    let client = bucket.client().await;
    loop {
        let page = client
            .list_objects_v2()
            .bucket(&bucket.name)
            .prefix(prefix)
            .set_start_after(listing.after.clone())
            .send()
            .await?;
        for object in page.contents() {
            listing.bytes = listing.bytes.saturating_add(object.size().unwrap_or(0));
        }
        let last = page.contents().last().and_then(|object| object.key()).map(ToOwned::to_owned);
        listing.after = last.filter(|_| page.is_truncated() == Some(true));
        if listing.after.is_none() {
            return Ok(());
        }
    }
}
