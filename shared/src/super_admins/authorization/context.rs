//! What every request needs for authentication and authorization.

use crate::{
    auth::TokenVerifier,
    clients::postgres::Postgres,
    config::{ConfigError, FromEnv, TokenConfig},
};

/// The keys that verify tokens, and the platform database, which records what each super-admin may do. Cheap to clone.
#[derive(Clone)]
pub struct AuthContext {
    pub platform: Postgres,
    pub verifier: TokenVerifier,
}

impl AuthContext {
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { platform: Postgres::platform_from_env()?, verifier: TokenVerifier::new(&TokenConfig::from_env()?)? })
    }
}
