//! Object storage: the bucket of tenants.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::clients::s3::Bucket;
use crate::health::checks::{
    probe::{Deadline, Trouble},
    report::Reading,
};

/// The bucket.
pub(super) struct Minio(pub(super) Bucket);

impl Minio {
    pub(super) async fn read(&self, deadline: Deadline) -> Reading {
        match deadline.ask(self.look()).await {
            Ok(answered) => Reading::up(&answered, None),
            Err(trouble) => Reading::down("minio", trouble),
        }
    }

    async fn look(&self) -> Result<(), Trouble> {
        let found = self.0.client().await.head_bucket().bucket(&self.0.name).send().await;
        found.map(drop).map_err(|error| {
            // An answer to HEAD has no body, and so no code but that of HTTP.
            let status = error.raw_response().map(|response| response.status().as_u16());
            match status {
                Some(404) => Trouble::because("the bucket does not exist", &error),
                Some(403) => Trouble::because("it refuses the credentials", &error),
                _ => trouble(&error),
            }
        })
    }
}

/// What went wrong with a call of an AWS SDK.
pub(super) fn trouble<E, R>(error: &SdkError<E, R>) -> Trouble
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let text = match error {
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "no answer in time",
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => "it cannot be reached",
        SdkError::ServiceError(_) => "it answers with an error",
        _ => "its answer cannot be understood",
    };
    Trouble::because(text, error)
}
