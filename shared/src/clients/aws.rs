//! The AWS SDK's configuration, from its own environment variables and with our deadlines.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};

/// The deadline, the number of attempts and the endpoint of calls to AWS.
#[derive(Debug, Clone)]
pub struct Attempts {
    /// The deadline of one attempt.
    pub timeout: Duration,
    /// The maximum number of attempts. Each attempt after the first has a connection of its own.
    pub count: u32,
    /// The URL of the service; by default, that of the SDK's own variables.
    pub endpoint: Option<String>,
    /// The certificate authorities that are trusted instead of the system's, as PEM.
    pub authorities: Option<String>,
}

impl Attempts {
    /// At the endpoint of the SDK's own variables.
    pub fn new(timeout: Duration, count: u32) -> Self {
        Self { timeout, count, endpoint: None, authorities: None }
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
        if let Some(authorities) = &self.authorities {
            let trust = TrustStore::empty().with_pem_certificate(authorities.as_str());
            let client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
            // The context cannot fail to be built. The client would trust the system's authorities only.
            let client = match TlsContext::builder().with_trust_store(trust).build() {
                Ok(context) => client.tls_context(context).build_https(),
                Err(_) => client.build_https(),
            };
            loader = loader.http_client(client);
        }
        loader.load().await
    }
}
