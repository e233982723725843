//! Configuration: one struct a client, read from the environment here and nowhere else. An empty variable counts as
//! unset. Secrets are wrapped, so that `Debug` and logs hide them.

mod clusters;
mod health;
mod impersonation;
mod measuring;
mod stores;
mod tokens;

use std::{env, fmt::Display, str::FromStr};

pub use clusters::{Cluster, Clusters};
pub use health::HealthConfig;
pub use impersonation::{ImpersonationKeysConfig, ImpersonationSigningConfig};
pub use measuring::MeasuringConfig;
use secrecy::SecretString;
pub use stores::{KafkaConfig, MongoConfig, PostgresConfig, QueueConfig, RedisConfig, S3Config};
pub use tokens::{IdempotencyConfig, OidcConfig, SigningConfig, TokenConfig};

use crate::types::Limits;

/// A variable that is missing or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not set, and there is no default.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// Set to something else than it must be. The value is not repeated, as it may be a secret.
    #[error("the environment variable {name} is not usable: {reason}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl ConfigError {
    /// A variable that is set to something unusable.
    pub fn invalid(name: &'static str, reason: impl Display) -> Self {
        Self::Invalid { name, reason: reason.to_string() }
    }
}

/// Configuration that the environment gives.
pub trait FromEnv: Sized {
    /// Reads it; the error names the variable.
    fn from_env() -> Result<Self, ConfigError>;
}

/// The variable, where it is set and not empty.
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

/// Whether this process runs as a Lambda function: the runtime API is named.
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

/// The first super-admin, made by `migrate-platform` when there is none.
#[derive(Debug)]
pub struct FirstAdminConfig {
    /// `FIRST_ADMIN_EMAIL`.
    pub email: String,
    /// `FIRST_ADMIN_PASSWORD`.
    pub password: SecretString,
}

impl FirstAdminConfig {
    /// `None` when neither variable is set.
    pub fn from_env() -> Result<Option<Self>, ConfigError> {
        match (optional("FIRST_ADMIN_EMAIL"), optional("FIRST_ADMIN_PASSWORD")) {
            (None, None) => Ok(None),
            (Some(email), Some(password)) => Ok(Some(Self { email, password: password.into() })),
            (None, Some(_)) => Err(ConfigError::Missing("FIRST_ADMIN_EMAIL")),
            (Some(_), None) => Err(ConfigError::Missing("FIRST_ADMIN_PASSWORD")),
        }
    }
}

/// How provisioning is driven; the worker and the relay must agree on it.
#[derive(Debug, Clone, Copy)]
pub struct ProvisioningConfig {
    /// `PROVISION_FUNCTION_TIMEOUT_SECONDS` (60): the timeout of the function `provision-tenant`. A lease lasts no longer
    /// than an invocation can.
    pub function_timeout: std::time::Duration,
    /// `PROVISION_MAX_ATTEMPTS` (5): how often the steps of an operation are taken up before it is undone.
    pub max_attempts: i32,
}

impl FromEnv for ProvisioningConfig {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            function_timeout: std::time::Duration::from_secs(parsed("PROVISION_FUNCTION_TIMEOUT_SECONDS", 60)?),
            max_attempts: parsed("PROVISION_MAX_ATTEMPTS", 5)?,
        })
    }
}

/// How a function logs.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// `RUST_LOG` (`info`): levels, of all or by target: `warn,shared::http=debug`.
    pub filter: String,
    /// `LOG_FORMAT` (`json`): `json`, or `text` for a person at a terminal.
    pub json: bool,
}

impl LogConfig {
    /// Reads it. Logging must come up whatever else is wrong, so an odd value means the default.
    pub fn from_env() -> Self {
        Self {
            filter: optional("RUST_LOG").unwrap_or_else(|| "info".to_owned()),
            json: optional("LOG_FORMAT").is_none_or(|format| format != "text"),
        }
    }
}
