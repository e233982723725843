//! What the functions about dead letters need.

use std::sync::Arc;

use axum::extract::FromRef;

use crate::{
    clients::sqs::Sqs,
    config::{ConfigError, FromEnv, QueueConfig},
    dead_letters::DeadLetters,
    super_admins::AuthContext,
};

/// State of the functions that list and redrive dead letters.
#[derive(Clone, FromRef)]
pub struct DeadLetterContext {
    pub auth: AuthContext,
    pub dead_letters: Arc<DeadLetters>,
}

impl DeadLetterContext {
    /// Reads the environment. Opens no connection.
    pub fn from_env() -> Result<Self, ConfigError> {
        let dead_letters = Arc::new(DeadLetters::new(Sqs::new(), QueueConfig::from_env()?));
        Ok(Self { auth: AuthContext::from_env()?, dead_letters })
    }
}
