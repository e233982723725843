//! What the live counters say.

use deadpool_postgres::{GenericClient, Transaction};

use crate::usage::store::thresholds;
use crate::{
    error::Result,
    types::{Limits, Month, TenantId},
    usage::{Figure, Threshold},
};

/// Active tenants, up to `limit` of them, in order of their ids, after one.
pub async fn list_active(client: &impl GenericClient, after: Option<TenantId>, limit: i64) -> Result<Vec<TenantId>> {
    let statement = client
        .prepare_cached(
            "SELECT id FROM tenants
             WHERE status = 'active' AND id > coalesce($1, '00000000-0000-0000-0000-000000000000'::uuid)
             ORDER BY id LIMIT $2",
        )
        .await?;
    let rows = client.query(&statement, &[&after.map(|id| id.0), &limit]).await?;
    rows.iter().map(|row| Ok(TenantId(row.try_get(0)?))).collect()
}

/// What came of counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many were news.
    pub changed: usize,
    /// Thresholds that were passed for the first time this month.
    pub passed: Vec<Threshold>,
}

/// Any number that no other advisory lock of the platform database has.
const COUNTING: i64 = 0x636f_756e_7465_7273;

/// Keeps what the counters of `month` say; a counter that is `None` has counted nothing, or was lost. Gives `None` when
/// someone else is doing so.
pub async fn count_messages(
    transaction: &Transaction<'_>,
    month: Month,
    counters: &[(TenantId, Option<i64>)],
) -> Result<Option<Counted>> {
    // Two who write many rows each would wait for each other in the midst.
    let lock = transaction.prepare_cached("SELECT pg_try_advisory_xact_lock($1)").await?;
    if !transaction.query_one(&lock, &[&COUNTING]).await?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let statement = transaction
        .prepare_cached(
            "UPDATE tenant_usage u
             SET messages_measured = CASE
                     WHEN u.month = $1 THEN u.messages_measured
                     -- What was measured is of a month that is over.
                     WHEN u.measured_at IS NOT NULL THEN 0
                 END,
                 messages_counted = counter.messages,
                 month = $1
             FROM unnest($2::uuid[], $3::bigint[]) AS counter (tenant_id, messages), tenants o
             WHERE u.tenant_id = counter.tenant_id
                 AND o.id = u.tenant_id
                 AND CASE
                     WHEN u.month = $1 THEN u.messages_counted IS DISTINCT FROM counter.messages
                     ELSE counter.messages IS NOT NULL AND (u.month IS NULL OR u.month < $1)
                 END
             RETURNING u.tenant_id, greatest(u.messages_measured, u.messages_counted), o.max_messages_month",
        )
        .await?;
    let (ids, messages): (Vec<_>, Vec<_>) = counters.iter().map(|(id, messages)| (id.0, *messages)).unzip();
    let rows = transaction.query(&statement, &[&month.first_day(), &ids, &messages]).await?;
    let mut reached = Vec::new();
    for row in &rows {
        let limits = Limits { max_agents: None, max_contacts: None, max_messages_month: row.try_get(2)? };
        let figures = [(Figure::MessagesMonth, row.try_get::<_, Option<i64>>(1)?.unwrap_or(0))];
        reached.extend(Threshold::reached(TenantId(row.try_get(0)?), month, &limits, &figures));
    }
    Ok(Some(Counted { changed: rows.len(), passed: thresholds::pass(transaction, &reached).await? }))
}
