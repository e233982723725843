//! SQL of retention: mostly calls of the functions that remove rows with the rights of the owner. Each returns a number of rows or
//! partitions.

use deadpool_postgres::GenericClient;

use crate::error::Result;

/// Creates the partitions of this month and the next ones.
pub(super) async fn create_audit_partitions(client: &impl GenericClient) -> Result<i32> {
    let statement = client.prepare_cached("SELECT create_audit_partitions()").await?;
    Ok(client.query_one(&statement, &[]).await?.try_get(0)?)
}

/// Drops the months whose entries are all older than this number of days.
pub(super) async fn drop_old_audit_partitions(client: &impl GenericClient, days: i32) -> Result<i32> {
    call(client, "SELECT drop_old_audit_partitions($1)", days).await
}

/// Deletes operations that ended before this number of days and are not needed.
pub(super) async fn delete_old_operations(client: &impl GenericClient, days: i32) -> Result<i32> {
    call(client, "SELECT delete_old_operations($1)", days).await
}

/// Deletes impersonations that ended before this number of days and are not needed.
pub(super) async fn delete_old_impersonations(client: &impl GenericClient, days: i32) -> Result<i32> {
    call(client, "SELECT delete_old_impersonations($1)", days).await
}

async fn call(client: &impl GenericClient, sql: &str, days: i32) -> Result<i32> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query_one(&statement, &[&days]).await?.try_get(0)?)
}

/// Records the ends of at most 1,000 impersonations that have expired, so that the indexes of those that have not ended stay small. An
/// expiry has no consequences outside this database: services do not accept an expired token.
pub(super) async fn close_expired_impersonations(client: &impl GenericClient) -> Result<u64> {
    let statement = client
        .prepare_cached(
            "UPDATE impersonations
             SET ended_at = expires_at,
                 end_reason = CASE WHEN recorded_at IS NULL THEN 'not_recorded' ELSE 'expired' END,
                 ended_by = 'system', revision = revision + 1
             WHERE id IN (
                 SELECT id FROM impersonations
                 WHERE ended_at IS NULL AND expires_at <= now()
                 ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED
             )",
        )
        .await?;
    Ok(client.execute(&statement, &[]).await?)
}

/// Erases the password hashes of the first users of at most 1,000 tenants whose last operation failed before this number of days. A
/// retry, which holds the lock on the tenant, comes before or after.
pub(super) async fn erase_first_passwords(client: &impl GenericClient, days: i32) -> Result<u64> {
    let statement = client
        .prepare_cached(
            "UPDATE pending_admins SET password_hash = NULL, erased_at = now()
             WHERE tenant_id IN (
                 SELECT t.id
                 FROM pending_admins p
                 JOIN tenants t ON t.id = p.tenant_id
                 WHERE p.erased_at IS NULL AND t.status = 'failed'
                     AND NOT EXISTS (
                         SELECT FROM operations o
                         WHERE o.tenant_id = t.id
                             AND (o.finished_at IS NULL OR o.finished_at > now() - make_interval(days => $1))
                     )
                 LIMIT 1000 FOR NO KEY UPDATE OF t SKIP LOCKED
             )",
        )
        .await?;
    Ok(client.execute(&statement, &[&days]).await?)
}
