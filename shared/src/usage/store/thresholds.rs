//! Thresholds that tenants' usage has passed.

use std::collections::HashSet;

use deadpool_postgres::{GenericClient, Transaction};

use crate::{
    error::Result,
    events::{self, Event},
    types::{Month, TenantId},
    usage::Threshold,
};

/// The `type` of the event.
const EVENT: &str = "tenant.usage_threshold_reached";

/// Owes an event about each threshold that was not passed before in its month, and gives those. All are of one month.
pub(super) async fn pass(transaction: &Transaction<'_>, reached: &[Threshold]) -> Result<Vec<Threshold>> {
    let Some(first) = reached.first() else { return Ok(Vec::new()) };
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
    let rows = transaction.query(&statement, &[&first.month.first_day(), &ids, &figures, &percents]).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut new = HashSet::new();
    for row in &rows {
        new.insert((TenantId(row.try_get(0)?), row.try_get::<_, &str>(1)?, row.try_get::<_, i16>(2)?));
    }
    let is_new =
        |threshold: &&Threshold| new.contains(&(threshold.tenant_id, threshold.figure.as_str(), threshold.percent));
    let passed: Vec<_> = reached.iter().filter(is_new).copied().collect();
    // Whoever writes an event of a tenant holds the lock on its row, so that the events keep their order.
    let statement =
        transaction.prepare_cached("SELECT FROM tenants WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE").await?;
    let ids: Vec<_> = passed.iter().map(|threshold| threshold.tenant_id.0).collect();
    transaction.query(&statement, &[&ids]).await?;
    for threshold in &passed {
        events::store::enqueue_event(transaction, &Event::new(EVENT, threshold.tenant_id, threshold)).await?;
    }
    Ok(passed)
}

/// Forgets which thresholds were passed before a month, up to `limit` of them; gives how many.
pub async fn delete_before(client: &impl GenericClient, month: Month, limit: i64) -> Result<u64> {
    let statement = client
        .prepare_cached(
            "DELETE FROM usage_thresholds
             WHERE ctid = ANY(ARRAY(SELECT ctid FROM usage_thresholds WHERE month < $1 LIMIT $2))",
        )
        .await?;
    Ok(client.execute(&statement, &[&month.first_day(), &limit]).await?)
}
