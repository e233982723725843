//! The AWS SDK's configuration, from its own environment variables and with our deadlines.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};

/// The deadline, the number of attempts and the endpoint of calls to AWS.
#[derive(Debug, Clone)]
pub struct Attempts {
    /// The deadline of one attempt.
    pub timeout: Duration,
    /// The maximum number of attempts. Each attempt after the first has a connection of its own.
    pub count: u32,
    /// The URL of the service; by default, that of the SDK's own variables.
    pub endpoint: Option<String>,
}

impl Attempts {
    /// At the endpoint of the SDK's own variables.
    pub fn new(timeout: Duration, count: u32) -> Self {
        Self { timeout, count, endpoint: None }
    }

    pub(super) async fn load(&self) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(self.timeout.min(Duration::from_millis(500)))
            .operation_attempt_timeout(self.timeout)
            .operation_timeout(self.timeout * self.count)
            .build();
        // The pause between two attempts is at most a tenth of the deadline of one.
        let retries = RetryConfig::standard().with_max_attempts(self.count).with_initial_backoff(self.timeout / 10);
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).retry_config(retries);
        if let Some(endpoint) = &self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        loader.load().await
    }
}
