//! Probes object storage: the tenants' bucket.

use crate::{
    clients::s3::Bucket,
    health::checks::{deadline::ProbeDeadline, error::ProbeError, probes::aws::describe, readings::StoreReading},
};

pub(super) struct MinioProbe(Bucket);

impl MinioProbe {
    pub(super) fn new(bucket: Bucket) -> Self {
        Self(bucket)
    }

    pub(super) async fn read(&self, deadline: ProbeDeadline) -> StoreReading {
        match deadline.wait(self.query()).await {
            Ok(response) => StoreReading::up(&response, None),
            Err(error) => StoreReading::down("minio", error),
        }
    }

    async fn query(&self) -> Result<(), ProbeError> {
        let found = self.0.client().await.head_bucket().bucket(&self.0.name).send().await;
        found.map(drop).map_err(|error| {
            // A response to HEAD has no body, so the HTTP status is its only code.
            let status = error.raw_response().map(|response| response.status().as_u16());
            match status {
                Some(404) => ProbeError::because("the bucket does not exist", &error),
                Some(403) => ProbeError::because("credentials rejected", &error),
                _ => describe(&error),
            }
        })
    }
}
