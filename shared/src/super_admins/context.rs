//! The state of functions that start operations for a super-admin.

use std::sync::Arc;

use axum::extract::FromRef;

use crate::{
    config::{ConfigError, FromEnv, IdempotencyConfig, QueueConfig},
    events::dispatch::Dispatcher,
    http::Fingerprints,
    super_admins::AuthContext,
};

/// State of functions that change operations, or start them by a request that may simply be repeated.
#[derive(Clone, FromRef)]
pub struct OperationContext {
    pub auth: AuthContext,
    pub dispatcher: Arc<Dispatcher>,
}

impl OperationContext {
    /// Reads the environment. Opens no connection.
    pub fn from_env() -> Result<Self, ConfigError> {
        let dispatcher = Arc::new(Dispatcher::new(QueueConfig::from_env()?));
        Ok(Self { auth: AuthContext::from_env()?, dispatcher })
    }
}

/// State of functions that start an operation, once for an `Idempotency-Key`.
#[derive(Clone, FromRef)]
pub struct IdempotentOperationContext {
    pub auth: AuthContext,
    pub fingerprints: Fingerprints,
    pub dispatcher: Arc<Dispatcher>,
}

impl IdempotentOperationContext {
    /// Reads the environment. Opens no connection.
    pub fn from_env() -> Result<Self, ConfigError> {
        let OperationContext { auth, dispatcher } = OperationContext::from_env()?;
        Ok(Self { auth, fingerprints: Fingerprints::new(&IdempotencyConfig::from_env()?), dispatcher })
    }
}
