//! How long rows are kept.

use crate::config::{ConfigError, FromEnv, parsed};

/// Days after which rows are removed that only the past needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionConfig {
    /// `AUDIT_RETENTION_DAYS` (400; 30 or more): entries of the audit log, which are removed by whole months.
    pub audit: i32,
    /// `OPERATION_RETENTION_DAYS` (90; 7 or more): operations, since they ended.
    pub operations: i32,
    /// `IMPERSONATION_RETENTION_DAYS` (400; 30 or more): impersonations, since they ended.
    pub impersonations: i32,
    /// `FIRST_PASSWORD_RETENTION_DAYS` (30; 1 or more): the hash of the first user's password, since the tenant failed.
    pub first_passwords: i32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { audit: 400, operations: 90, impersonations: 400, first_passwords: 30 }
    }
}

impl FromEnv for RetentionConfig {
    fn from_env() -> Result<Self, ConfigError> {
        let defaults = Self::default();
        // The functions of the platform database, which remove the rows, have the same minimums.
        Ok(Self {
            audit: days("AUDIT_RETENTION_DAYS", defaults.audit, 30)?,
            operations: days("OPERATION_RETENTION_DAYS", defaults.operations, 7)?,
            impersonations: days("IMPERSONATION_RETENTION_DAYS", defaults.impersonations, 30)?,
            first_passwords: days("FIRST_PASSWORD_RETENTION_DAYS", defaults.first_passwords, 1)?,
        })
    }
}

/// How long traces of a deleted tenant are kept, for its receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptConfig {
    pub retention: RetentionConfig,
    /// `BACKUP_RETENTION_DAYS` (35; 0 or more): the oldest backup of any store that can be restored.
    pub backups: i32,
}

impl FromEnv for KeptConfig {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { retention: RetentionConfig::from_env()?, backups: days("BACKUP_RETENTION_DAYS", 35, 0)? })
    }
}

pub(super) fn days(name: &'static str, default: i32, minimum: i32) -> Result<i32, ConfigError> {
    match parsed(name, default)? {
        days if days < minimum => Err(ConfigError::invalid(name, format!("expected {minimum} days or more"))),
        days => Ok(days),
    }
}
