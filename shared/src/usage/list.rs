//! Use case: combine a page of stored figures with the live counters.

use crate::{
    types::Month,
    usage::{TenantUsage, Usage, live_counters::LiveCounters, store::UsageRow},
};

/// A page of tenants with their usage.
#[derive(Debug, Clone)]
pub struct UsagePage {
    pub tenants: Vec<TenantUsage>,
    /// Whether the live counters were available. If not, the messages are the measured ones.
    pub live_counters: bool,
}

/// Adds the live counters of `month` to a page of [`store::list`](crate::usage::store::list). Needs no connection to the
/// platform database, which the caller can release before.
pub async fn add_live_counters(rows: Vec<UsageRow>, counters: &LiveCounters, month: Month) -> UsagePage {
    let (counted, live_counters) = match counters.messages(rows.iter().map(|row| row.tenant.id), month).await {
        Ok(counted) => (counted, true),
        Err(error) => {
            tracing::warn!(error = error.chain(), "live counters unavailable; returning measured usage");
            (Vec::new(), false)
        }
    };
    let mut counted = counted.into_iter();
    let combine = |row: UsageRow| {
        let usage = Usage::new(row.record, &row.tenant.limits, month, counted.next().flatten());
        TenantUsage { tenant: row.tenant, usage, position: row.position }
    };
    UsagePage { tenants: rows.into_iter().map(combine).collect(), live_counters }
}
