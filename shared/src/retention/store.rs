//! SQL of retention: calls of the functions that remove rows with the rights of the owner. Each returns a number of rows or
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
