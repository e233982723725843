//! The thresholds that tenants have reached, by month.

use std::collections::HashSet;

use deadpool_postgres::{GenericClient, Transaction};

use crate::{
    error::Result,
    types::{Month, TenantId},
    usage::Threshold,
};

/// Inserts the thresholds that were reached in `month`, and returns those that were not recorded before.
pub async fn insert_thresholds(
    transaction: &Transaction<'_>,
    month: Month,
    reached: &[Threshold],
) -> Result<Vec<Threshold>> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO usage_thresholds (tenant_id, month, figure, percent)
             SELECT tenant_id, $1, figure, percent
             FROM unnest($2::uuid[], $3::text[], $4::smallint[]) AS reached (tenant_id, figure, percent)
             ON CONFLICT DO NOTHING
             RETURNING tenant_id, figure, percent",
        )
        .await?;
    let ids: Vec<_> = reached.iter().map(|threshold| threshold.tenant_id.0).collect();
    let figures: Vec<_> = reached.iter().map(|threshold| threshold.figure.as_str()).collect();
    let percents: Vec<_> = reached.iter().map(|threshold| threshold.percent).collect();
    let rows = transaction.query(&statement, &[&month.first_day(), &ids, &figures, &percents]).await?;
    let mut new = HashSet::new();
    for row in &rows {
        new.insert((TenantId(row.try_get(0)?), row.try_get::<_, &str>(1)?, row.try_get::<_, i16>(2)?));
    }
    let is_new =
        |threshold: &&Threshold| new.contains(&(threshold.tenant_id, threshold.figure.as_str(), threshold.percent));
    Ok(reached.iter().filter(is_new).copied().collect())
}

/// Locks the rows of tenants in the order of their ids, so that two transactions cannot deadlock.
pub async fn lock_tenants(transaction: &Transaction<'_>, tenant_ids: impl IntoIterator<Item = TenantId>) -> Result<()> {
    let statement =
        transaction.prepare_cached("SELECT FROM tenants WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE").await?;
    let ids: Vec<_> = tenant_ids.into_iter().map(|id| id.0).collect();
    transaction.query(&statement, &[&ids]).await?;
    Ok(())
}

/// Deletes up to `limit` thresholds of the months before `month`, and returns their number.
pub async fn delete_thresholds_before(client: &impl GenericClient, month: Month, limit: i64) -> Result<u64> {
    let statement = client
        .prepare_cached(
            "DELETE FROM usage_thresholds
             WHERE ctid = ANY(ARRAY(SELECT ctid FROM usage_thresholds WHERE month < $1 LIMIT $2))",
        )
        .await?;
    Ok(client.execute(&statement, &[&month.first_day(), &limit]).await?)
}
