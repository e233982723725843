//! One module a store: how to connect to it, with timeouts on everything, and what its errors mean. Connections are made
//! at first use, so that a function starts as fast as one that has none.

#[cfg(all(feature = "mongo", feature = "postgres"))]
pub mod clusters;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "mongo")]
pub mod mongo;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "sqs")]
pub mod sqs;

#[cfg(any(feature = "s3", feature = "sqs"))]
mod aws {
    use std::time::Duration;

    use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};

    /// The SDK's configuration from its own environment variables, with our deadlines.
    pub(super) async fn load(attempt: Duration, attempts: u32) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_millis(500))
            .operation_attempt_timeout(attempt)
            .operation_timeout(attempt * attempts)
            .build();
        aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(attempts))
            .load()
            .await
    }
}
