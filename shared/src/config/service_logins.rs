//! The key from which the passwords of the services' logins at MongoDB are derived.

use secrecy::{ExposeSecret, SecretString};

use crate::config::{ConfigError, FromEnv, secret};

#[derive(Debug, Clone)]
pub struct ServiceLoginConfig {
    /// `SERVICE_LOGIN_KEY`: at least 32 characters. The platform's services have it, too, and derive the same passwords.
    pub key: SecretString,
}

impl FromEnv for ServiceLoginConfig {
    fn from_env() -> Result<Self, ConfigError> {
        const NAME: &str = "SERVICE_LOGIN_KEY";
        let key = secret(NAME)?;
        if key.expose_secret().len() < 32 {
            return Err(ConfigError::invalid(NAME, "expected at least 32 characters"));
        }
        Ok(Self { key })
    }
}
