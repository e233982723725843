//! Errors of the AWS SDK.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::health::checks::error::ProbeError;

/// Describes a failed call of an AWS SDK.
pub(super) fn describe<E, R>(error: &SdkError<E, R>) -> ProbeError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let text = match error {
        SdkError::TimeoutError(_) => "no response in time",
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "no response in time",
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => "unreachable",
        SdkError::ServiceError(_) => "the server returned an error",
        _ => "invalid response",
    };
    ProbeError::because(text, error)
}
