//! The live counters as the platform database stores them.

use deadpool_postgres::{GenericClient, Transaction};

use crate::{
    error::Result,
    sql::{self, Columns},
    tenants::OnLimit,
    types::{Limit, Month, TenantId},
};

/// Returns up to `limit` active tenants in the order of their ids, beginning after `after`.
pub async fn list_active(client: &impl GenericClient, after: Option<TenantId>, limit: i64) -> Result<Vec<TenantId>> {
    let statement = client
        .prepare_cached(
            "SELECT id FROM tenants
             WHERE status = 'active' AND id > coalesce($1, '00000000-0000-0000-0000-000000000000'::uuid)
             ORDER BY id LIMIT $2",
        )
        .await?;
    let rows = client.query(&statement, &[&after, &limit]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// A number that no other advisory lock of the platform database uses.
const COUNTERS_LOCK: i64 = 0x636f_756e_7465_7273;

/// Acquires the right to write counters until the transaction ends; `false` when another transaction holds it.
pub async fn try_lock_counters(transaction: &Transaction<'_>) -> Result<bool> {
    let statement = transaction.prepare_cached("SELECT pg_try_advisory_xact_lock($1)").await?;
    Ok(transaction.query_one(&statement, &[&COUNTERS_LOCK]).await?.try_get(0)?)
}

/// A tenant whose stored counter changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangedCounter {
    pub tenant_id: TenantId,
    /// The larger of the measured and the counted messages.
    pub messages: Option<i64>,
    /// The tenant's limit of messages.
    pub limit: Limit,
    pub on_limit: OnLimit,
}

sql::columns! {
    ChangedCounterColumns -> ChangedCounter {
        tenant_id: "u.tenant_id",
        messages: "greatest(u.messages_measured, u.messages_counted)",
        limit: "t.max_messages_month",
        on_limit: "t.on_limit",
    }
}

/// Stores the counters of `month` and returns those that changed. `None` is a counter that does not exist: nothing was
/// counted, or the counter was lost.
pub async fn update_counters(
    transaction: &Transaction<'_>,
    month: Month,
    counters: &[(TenantId, Option<i64>)],
) -> Result<Vec<ChangedCounter>> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE tenant_usage u
             SET messages_measured = CASE
                     WHEN u.month = $1 THEN u.messages_measured
                     -- The measured messages belong to a past month.
                     WHEN u.measured_at IS NOT NULL THEN 0
                 END,
                 messages_counted = counter.messages,
                 month = $1
             FROM unnest($2::uuid[], $3::bigint[]) AS counter (tenant_id, messages), tenants t
             WHERE u.tenant_id = counter.tenant_id
                 AND t.id = u.tenant_id
                 AND CASE
                     WHEN u.month = $1 THEN u.messages_counted IS DISTINCT FROM counter.messages
                     ELSE counter.messages IS NOT NULL AND (u.month IS NULL OR u.month < $1)
                 END
             RETURNING ",
            ChangedCounterColumns::LIST
        ))
        .await?;
    let (ids, messages): (Vec<_>, Vec<_>) = counters.iter().copied().unzip();
    let rows = transaction.query(&statement, &[&month.first_day(), &ids, &messages]).await?;
    rows.iter().map(ChangedCounterColumns::read).collect()
}
