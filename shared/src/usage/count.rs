//! Use case: copy the live counters into the platform database, so that lists sort and filter by them.

use crate::{
    clients::postgres::Connection,
    error::Result,
    types::{Limits, Month},
    usage::{Figure, ObservedUsage, announce::announce, live_counters::LiveCounters, store},
    worker::Deadline,
};

/// Tenants whose counters are copied in one transaction.
const TENANTS_PER_TRANSACTION: i64 = 1000;

/// Copies the message counters of all active tenants until the deadline is near. Adds the number of changed counters to
/// `changed` with each commit, so that the number is right when a later transaction fails.
///
/// Stops when another run is copying.
pub async fn count_messages(
    platform: &mut Connection,
    counters: &LiveCounters,
    deadline: Deadline,
    changed: &mut usize,
) -> Result<()> {
    let mut after = None;
    while !deadline.is_near() {
        let tenants = store::list_active(platform, after, TENANTS_PER_TRANSACTION).await?;
        let Some(last) = tenants.last().copied() else { break };
        let month = Month::current();
        let messages = counters.messages(tenants.iter().copied(), month).await?;
        let counted: Vec<_> = tenants.iter().copied().zip(messages).collect();
        let transaction = platform.transaction().await?;
        // Two runs that update many rows each could deadlock.
        if !store::try_lock_counters(&transaction).await? {
            break;
        }
        let rows = store::update_counters(&transaction, month, &counted).await?;
        let observed = rows.iter().map(|row| ObservedUsage {
            tenant_id: row.tenant_id,
            limits: Limits { max_agents: None, max_contacts: None, max_messages_month: row.limit },
            on_limit: row.on_limit,
            figures: vec![(Figure::MessagesMonth, row.messages.unwrap_or(0))],
        });
        let announced = announce(&transaction, month, &observed.collect::<Vec<_>>()).await?;
        transaction.commit().await?;
        *changed += rows.len();
        for threshold in announced.reached {
            tracing::info!(tenant.id = %threshold.tenant_id, percent = threshold.percent, "message threshold reached");
        }
        if i64::try_from(tenants.len()).is_ok_and(|count| count < TENANTS_PER_TRANSACTION) {
            break;
        }
        after = Some(last);
    }
    Ok(())
}
