//! Configuration of health checks, apart from the stores.

use std::time::Duration;

use crate::config::{ConfigError, FromEnv, optional, parsed};
use crate::types::{Channel, Microservice};

/// The deadline of the probes, and the URLs of the platform's services and the channels' providers.
#[derive(Debug, Clone)]
pub struct HealthConfig {
    /// `HEALTH_PROBE_TIMEOUT_MS` (1000; 50 to 5000): how long the probes may take, which all run at once.
    pub probe_timeout: Duration,
    /// `WEBHOOK_INGESTOR_HEALTH_URL`, `WS_SERVER_HEALTH_URL`, `AI_AGENT_HEALTH_URL`, `BILLING_SERVICE_HEALTH_URL`: URLs
    /// that respond with 2xx while the service works.
    pub services: Vec<(Microservice, String)>,
    /// `WHATSAPP_STATUS_URL`, `INSTAGRAM_STATUS_URL`, `MESSENGER_STATUS_URL`, `EMAIL_STATUS_URL`: the provider's status
    /// page in the format of statuspage.io (`status.indicator`), or any URL that responds with 2xx while the provider works.
    pub providers: Vec<(Channel, String)>,
    /// `INTEGRATION_STALE_SECONDS` (900): the greatest age of the ingestor's last success with a provider that has no status
    /// URL.
    pub stale_after: Duration,
}

impl FromEnv for HealthConfig {
    fn from_env() -> Result<Self, ConfigError> {
        const TIMEOUT: &str = "HEALTH_PROBE_TIMEOUT_MS";
        let probe_timeout = parsed(TIMEOUT, 1000)?;
        if !(50..=5000).contains(&probe_timeout) {
            return Err(ConfigError::invalid(TIMEOUT, "expected 50 to 5000 milliseconds"));
        }
        let services = Microservice::ALL.into_iter().filter_map(|service| Some((service, url(health_url(service))?)));
        let providers = Channel::ALL.into_iter().filter_map(|channel| Some((channel, url(status_url(channel))?)));
        Ok(Self {
            probe_timeout: Duration::from_millis(probe_timeout),
            services: services.map(|(service, url)| Ok((service, url?))).collect::<Result<_, _>>()?,
            providers: providers.map(|(channel, url)| Ok((channel, url?))).collect::<Result<_, _>>()?,
            stale_after: Duration::from_secs(parsed("INTEGRATION_STALE_SECONDS", 900)?),
        })
    }
}

fn health_url(service: Microservice) -> &'static str {
    match service {
        Microservice::WebhookIngestor => "WEBHOOK_INGESTOR_HEALTH_URL",
        Microservice::WsServer => "WS_SERVER_HEALTH_URL",
        Microservice::AiAgent => "AI_AGENT_HEALTH_URL",
        Microservice::BillingService => "BILLING_SERVICE_HEALTH_URL",
    }
}

fn status_url(channel: Channel) -> &'static str {
    match channel {
        Channel::WhatsApp => "WHATSAPP_STATUS_URL",
        Channel::Instagram => "INSTAGRAM_STATUS_URL",
        Channel::Messenger => "MESSENGER_STATUS_URL",
        Channel::Email => "EMAIL_STATUS_URL",
    }
}

/// The URL in a variable, if it is set.
fn url(name: &'static str) -> Option<Result<String, ConfigError>> {
    let text = optional(name)?.trim().to_owned();
    let is_web = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
    Some(if is_web { Ok(text) } else { Err(ConfigError::invalid(name, "expected a URL with http:// or https://")) })
}
