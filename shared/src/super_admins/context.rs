//! What the check of a request needs.

use crate::auth::TokenVerifier;
use crate::{
    clients::postgres::Postgres,
    config::{ConfigError, FromEnv, PostgresConfig, TokenConfig},
};

/// What the check of a request needs: the keys that verify its token, and the platform database, which says what its caller
/// may do. Cheap to clone.
#[derive(Clone)]
pub struct AuthContext {
    /// The platform database.
    pub platform: Postgres,
    /// Verifies bearer tokens.
    pub verifier: TokenVerifier,
}

impl AuthContext {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            platform: Postgres::connect(&PostgresConfig::from_env()?)?,
            verifier: TokenVerifier::new(&TokenConfig::from_env()?)?,
        })
    }
}
