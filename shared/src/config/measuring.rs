//! Configuration of usage measurement.

use std::time::Duration;

use crate::config::{ConfigError, FromEnv, parsed, retention::days};

/// Intervals and timeouts of usage measurement.
#[derive(Debug, Clone, Copy)]
pub struct MeasuringConfig {
    /// `MEASURE_FUNCTION_TIMEOUT_SECONDS` (60): the timeout of the function `measure-usage`.
    pub function_timeout: Duration,
    /// `MEASURE_TENANT_TIMEOUT_MS` (5000): how long the measurement of one tenant may take.
    pub tenant_timeout: Duration,
    /// `MEASURE_ACTIVE_INTERVAL_SECONDS` (900): the interval between measurements of an active tenant.
    pub active_interval: Duration,
    /// `MEASURE_SUSPENDED_INTERVAL_SECONDS` (86400): the interval for a suspended tenant.
    pub suspended_interval: Duration,
    /// `MEASURE_RETRY_INTERVAL_SECONDS` (300): how long a store of a tenant is left out after its first failure.
    pub retry_interval: Duration,
    /// `MEASURE_OBJECTS_INTERVAL_SECONDS` (86400): how long the sum of a tenant's objects is used, because S3 charges for each
    /// thousand objects that are listed.
    pub objects_interval: Duration,
    /// `USAGE_RETENTION_DAYS` (400; 31 or more): how long the daily figures of tenants are kept. A forecast needs those of 30 days.
    pub kept_days: i32,
}

impl Default for MeasuringConfig {
    fn default() -> Self {
        Self {
            function_timeout: Duration::from_mins(1),
            tenant_timeout: Duration::from_secs(5),
            active_interval: Duration::from_mins(15),
            suspended_interval: Duration::from_hours(24),
            retry_interval: Duration::from_mins(5),
            objects_interval: Duration::from_hours(24),
            kept_days: 400,
        }
    }
}

impl FromEnv for MeasuringConfig {
    fn from_env() -> Result<Self, ConfigError> {
        let seconds = |name, default: Duration| parsed(name, default.as_secs()).map(Duration::from_secs);
        let defaults = Self::default();
        let tenant_timeout = u64::try_from(defaults.tenant_timeout.as_millis()).unwrap_or(u64::MAX);
        Ok(Self {
            function_timeout: seconds("MEASURE_FUNCTION_TIMEOUT_SECONDS", defaults.function_timeout)?,
            tenant_timeout: parsed("MEASURE_TENANT_TIMEOUT_MS", tenant_timeout).map(Duration::from_millis)?,
            active_interval: seconds("MEASURE_ACTIVE_INTERVAL_SECONDS", defaults.active_interval)?,
            suspended_interval: seconds("MEASURE_SUSPENDED_INTERVAL_SECONDS", defaults.suspended_interval)?,
            retry_interval: seconds("MEASURE_RETRY_INTERVAL_SECONDS", defaults.retry_interval)?,
            objects_interval: seconds("MEASURE_OBJECTS_INTERVAL_SECONDS", defaults.objects_interval)?,
            kept_days: days("USAGE_RETENTION_DAYS", defaults.kept_days, 31)?,
        })
    }
}
