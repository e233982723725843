//! The AWS SDK's configuration, from its own environment variables and with our deadlines.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};

/// How long the SDK tries, how often, and where.
#[derive(Debug, Clone)]
pub struct Attempts {
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many there are at the most. Each further one has a connection of its own.
    pub count: u32,
    /// Where the service is; unless said, where the SDK's own variables say.
    pub endpoint: Option<String>,
}

impl Attempts {
    /// So many of so long, where the SDK's own variables say.
    pub fn new(timeout: Duration, count: u32) -> Self {
        Self { timeout, count, endpoint: None }
    }

    /// The SDK's configuration.
    pub(super) async fn load(&self) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(self.timeout.min(Duration::from_millis(500)))
            .operation_attempt_timeout(self.timeout)
            .operation_timeout(self.timeout * self.count)
            .build();
        // Between two attempts there is a tenth of the time of one, or less.
        let retries = RetryConfig::standard().with_max_attempts(self.count).with_initial_backoff(self.timeout / 10);
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).retry_config(retries);
        if let Some(endpoint) = &self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        loader.load().await
    }
}
