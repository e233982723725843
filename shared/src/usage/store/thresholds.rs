//! The thresholds that tenants have reached, by month.

use std::collections::HashSet;

use deadpool_postgres::{GenericClient, Transaction};

use crate::{
    error::Result,
    sql::{self, Columns},
    types::{Month, TenantId},
    usage::{Figure, Threshold},
};

/// A threshold of a tenant in one month.
#[derive(PartialEq, Eq, Hash)]
struct ThresholdKey {
    tenant_id: TenantId,
    figure: Figure,
    percent: i16,
}

sql::columns! {
    ThresholdColumns -> ThresholdKey {
        tenant_id: "tenant_id",
        figure: "figure",
        percent: "percent",
    }
}

impl ThresholdKey {
    fn of(threshold: &Threshold) -> Self {
        let Threshold { tenant_id, figure, percent, .. } = *threshold;
        Self { tenant_id, figure, percent }
    }
}

/// Inserts the thresholds that were reached in `month`, and returns those that were not recorded before.
pub async fn insert_thresholds(
    transaction: &Transaction<'_>,
    month: Month,
    reached: &[Threshold],
) -> Result<Vec<Threshold>> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "INSERT INTO usage_thresholds (tenant_id, month, figure, percent)
             SELECT tenant_id, $1, figure, percent
             FROM unnest($2::uuid[], $3::text[], $4::smallint[]) AS reached (tenant_id, figure, percent)
             ON CONFLICT DO NOTHING
             RETURNING ",
            ThresholdColumns::LIST
        ))
        .await?;
    let ids: Vec<_> = reached.iter().map(|threshold| threshold.tenant_id).collect();
    let figures: Vec<_> = reached.iter().map(|threshold| threshold.figure).collect();
    let percents: Vec<_> = reached.iter().map(|threshold| threshold.percent).collect();
    let rows = transaction.query(&statement, &[&month.first_day(), &ids, &figures, &percents]).await?;
    let new = rows.iter().map(ThresholdColumns::read).collect::<Result<HashSet<_>>>()?;
    Ok(reached.iter().filter(|threshold| new.contains(&ThresholdKey::of(threshold))).copied().collect())
}

/// Locks the rows of tenants in the order of their ids, so that two transactions cannot deadlock.
pub async fn lock_tenants(transaction: &Transaction<'_>, tenant_ids: impl IntoIterator<Item = TenantId>) -> Result<()> {
    let statement =
        transaction.prepare_cached("SELECT FROM tenants WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE").await?;
    let ids: Vec<_> = tenant_ids.into_iter().collect();
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
