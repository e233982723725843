//! Retention: rows that only the past needs are removed when they are old, so that no table grows for ever.
//!
//! The rules are functions of the platform database (the section "Retention" of its migration), because no service may
//! delete these rows itself. A run removes a bounded number of rows, and the schedule runs every minute.

mod store;

use serde::Serialize;

use crate::{clients::postgres::Connection, config::RetentionConfig, error::Error};

/// What a run removed, and what it created for the future.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RemovedRows {
    /// Months of the audit log, for which partitions were created.
    pub audit_months_created: i32,
    /// Months of the audit log that were dropped.
    pub audit_months_dropped: i32,
    pub operations_deleted: i32,
    pub impersonations_deleted: i32,
    /// Impersonations that had expired, and whose end was recorded.
    pub impersonations_closed: u64,
    /// Hashes of first users' passwords, of tenants that stayed failed.
    pub passwords_erased: u64,
}

/// Removes what is older than `retention`. Performs every part, even after another one failed, and returns the errors.
pub async fn remove_old_rows(
    platform: &Connection,
    retention: &RetentionConfig,
    removed: &mut RemovedRows,
) -> Vec<Error> {
    let results = [
        store::create_audit_partitions(platform).await.map(|count| removed.audit_months_created = count),
        store::drop_old_audit_partitions(platform, retention.audit)
            .await
            .map(|count| removed.audit_months_dropped = count),
        store::delete_old_operations(platform, retention.operations)
            .await
            .map(|count| removed.operations_deleted = count),
        store::delete_old_impersonations(platform, retention.impersonations)
            .await
            .map(|count| removed.impersonations_deleted = count),
        store::close_expired_impersonations(platform).await.map(|count| removed.impersonations_closed = count),
        store::erase_first_passwords(platform, retention.first_passwords)
            .await
            .map(|count| removed.passwords_erased = count),
    ];
    results.into_iter().filter_map(Result::err).collect()
}
