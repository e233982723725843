//! Configuration: one struct per client, read from the environment. No other module reads the environment. An empty variable
//! counts as unset. Secrets are wrapped, so that `Debug` and logs hide them.

mod clusters;
mod encryption;
mod health;
mod http;
mod impersonation;
mod measuring;
mod provider_client;
mod reconciliation;
mod retention;
mod service_logins;
mod settings;
mod stores;
mod tokens;
mod waiting;

use std::{env, fmt::Display, str::FromStr};

pub use clusters::{Cluster, Clusters};
pub use health::HealthConfig;
pub use http::HttpConfig;
pub use impersonation::{ImpersonationKeysConfig, ImpersonationSigningConfig};
pub use measuring::MeasuringConfig;
pub use provider_client::{CodeExchangeConfig, CodeRequestConfig};
pub use reconciliation::ReconciliationConfig;
pub use retention::{KeptConfig, RetentionConfig};
use secrecy::SecretString;
pub use service_logins::ServiceLoginConfig;
pub use settings::{SETTINGS, Setting, SettingGroup};
pub use stores::{KafkaConfig, MongoSettings, PostgresConfig, QueueConfig, RedisConfig, S3Config};
pub use tokens::{IdempotencyConfig, OidcConfig, SessionConfig, SigningConfig, TokenConfig};
pub use waiting::{WaitingConfig, local_concurrency};

use crate::types::Limits;

/// A variable that is missing or invalid.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Required, and not set.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// The message never contains the value, which may be a secret.
    #[error("the environment variable {name} is not usable: {reason}")]
    Invalid { name: &'static str, reason: String },
}

impl ConfigError {
    pub fn invalid(name: &'static str, reason: impl Display) -> Self {
        Self::Invalid { name, reason: reason.to_string() }
    }
}

/// Configuration from the environment.
pub trait FromEnv: Sized {
    /// The error names the variable.
    fn from_env() -> Result<Self, ConfigError>;
}

/// The value, if the variable is set and not empty.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn optional(name: &'static str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn required(name: &'static str) -> Result<String, ConfigError> {
    optional(name).ok_or(ConfigError::Missing(name))
}

fn secret(name: &'static str) -> Result<SecretString, ConfigError> {
    required(name).map(SecretString::from)
}

fn parsed<T: FromStr<Err: Display>>(name: &'static str, default: T) -> Result<T, ConfigError> {
    match optional(name) {
        None => Ok(default),
        Some(value) => value.trim().parse().map_err(|error| ConfigError::invalid(name, error)),
    }
}

/// Whether this process runs as a Lambda function.
pub fn is_lambda() -> bool {
    optional("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// The limits of a tenant that is created without them.
#[derive(Debug, Clone, Copy)]
pub struct DefaultLimits(pub Limits);

impl FromEnv for DefaultLimits {
    /// `DEFAULT_MAX_AGENTS` (10), `DEFAULT_MAX_CONTACTS` (10000), `DEFAULT_MAX_MESSAGES_MONTH` (50000): integers ≥ 0,
    /// or `unlimited`.
    fn from_env() -> Result<Self, ConfigError> {
        fn limit(name: &'static str, default: i64) -> Result<Option<i64>, ConfigError> {
            match optional(name).as_deref() {
                None => Ok(Some(default)),
                Some("unlimited") => Ok(None),
                Some(value) => match value.parse() {
                    Ok(number) if number >= 0 => Ok(Some(number)),
                    _ => Err(ConfigError::invalid(name, "expected an integer of 0 or more, or `unlimited`")),
                },
            }
        }
        Ok(Self(Limits {
            max_agents: limit("DEFAULT_MAX_AGENTS", 10)?,
            max_contacts: limit("DEFAULT_MAX_CONTACTS", 10_000)?,
            max_messages_month: limit("DEFAULT_MAX_MESSAGES_MONTH", 50_000)?,
        }))
    }
}

/// The first super-admin, which `migrate-platform` creates if none exists.
#[derive(Debug)]
pub struct FirstAdminConfig {
    /// `FIRST_ADMIN_EMAIL`.
    pub email: String,
    /// `FIRST_ADMIN_PASSWORD`.
    pub password: SecretString,
}

impl FirstAdminConfig {
    /// `None` if neither variable is set.
    pub fn from_env() -> Result<Option<Self>, ConfigError> {
        match (optional("FIRST_ADMIN_EMAIL"), optional("FIRST_ADMIN_PASSWORD")) {
            (None, None) => Ok(None),
            (Some(email), Some(password)) => Ok(Some(Self { email, password: password.into() })),
            (None, Some(_)) => Err(ConfigError::Missing("FIRST_ADMIN_EMAIL")),
            (Some(_), None) => Err(ConfigError::Missing("FIRST_ADMIN_PASSWORD")),
        }
    }
}

/// Settings of provisioning.
#[derive(Debug, Clone, Copy)]
pub struct ProvisioningConfig {
    /// `PROVISION_FUNCTION_TIMEOUT_SECONDS` (60): the timeout of the function `provision-tenant`, and the
    /// maximum length of a lease.
    pub function_timeout: std::time::Duration,
    /// `EXPORT_RETENTION_DAYS` (30; 1 or more): how long the files of exports are kept. The rule of the bucket removes them.
    pub export_retention: std::time::Duration,
    /// Objects that are larger are copied in parts of this size. Only tests set another one.
    pub copy_part_bytes: u64,
}

impl ProvisioningConfig {
    /// The defaults for a timeout.
    pub const fn new(function_timeout: std::time::Duration) -> Self {
        let export_retention = std::time::Duration::from_hours(30 * 24);
        Self { function_timeout, export_retention, copy_part_bytes: 1 << 30 }
    }
}

impl FromEnv for ProvisioningConfig {
    fn from_env() -> Result<Self, ConfigError> {
        let defaults = Self::new(std::time::Duration::from_secs(parsed("PROVISION_FUNCTION_TIMEOUT_SECONDS", 60)?));
        let days = retention::days("EXPORT_RETENTION_DAYS", 30, 1)?.unsigned_abs();
        Ok(Self { export_retention: std::time::Duration::from_hours(24 * u64::from(days)), ..defaults })
    }
}

#[derive(Debug, Clone)]
pub struct LogConfig {
    /// `RUST_LOG` (`info`): levels, general or by target: `warn,shared::http=debug`.
    pub filter: String,
    /// `LOG_FORMAT` (`json`): `json`, or `text` for terminals.
    pub json: bool,
    /// `STACK_NAME` (none): the dimension of the metrics.
    pub stack: Option<String>,
}

impl LogConfig {
    /// Invalid values count as the default, because logging must always start.
    pub fn from_env() -> Self {
        Self {
            filter: optional("RUST_LOG").unwrap_or_else(|| "info".to_owned()),
            json: optional("LOG_FORMAT").is_none_or(|format| format != "text"),
            stack: optional("STACK_NAME"),
        }
    }
}
