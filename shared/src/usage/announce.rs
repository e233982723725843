//! Announces thresholds: one event for each threshold, once a month.

use deadpool_postgres::Transaction;

use crate::{
    error::Result,
    events::{self, Event, EventType},
    types::Month,
    usage::{Threshold, store},
};

/// Enqueues an event for each threshold of `month` that was not reached before, and returns those thresholds.
pub(super) async fn announce(
    transaction: &Transaction<'_>,
    month: Month,
    reached: &[Threshold],
) -> Result<Vec<Threshold>> {
    if reached.is_empty() {
        return Ok(Vec::new());
    }
    let new = store::insert_thresholds(transaction, month, reached).await?;
    if new.is_empty() {
        return Ok(new);
    }
    // Every writer of a tenant's events holds the lock on the tenant's row, so that the events keep their order.
    store::lock_tenants(transaction, new.iter().map(|threshold| threshold.tenant_id)).await?;
    for threshold in &new {
        let event = Event::new(EventType::TenantUsageThresholdReached, threshold.tenant_id, threshold);
        events::store::enqueue_event(transaction, &event).await?;
    }
    Ok(new)
}
