//! Configuration of reconciliation.

use std::time::Duration;

use crate::config::{ConfigError, FromEnv, parsed};

/// When the schedule compares the stores.
#[derive(Debug, Clone, Copy)]
pub struct ReconciliationConfig {
    /// `RECONCILIATION_INTERVAL_SECONDS` (3600): the interval between reconciliations of the schedule.
    pub interval: Duration,
}

impl FromEnv for ReconciliationConfig {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { interval: Duration::from_secs(parsed("RECONCILIATION_INTERVAL_SECONDS", 3600)?) })
    }
}
