//! Announces thresholds: one event for each threshold, once a month. The whole limit is announced again when it is reached after
//! it was taken back, and when the tenant's `on_limit` has changed.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Transaction;

use crate::{
    error::Result,
    events::{self, Event, EventType},
    types::Month,
    usage::{BelowLimit, ObservedUsage, Threshold, store},
};

/// What was announced.
#[derive(Debug, Clone, Default)]
pub(super) struct Announced {
    pub(super) reached: Vec<Threshold>,
    pub(super) below: Vec<BelowLimit>,
}

/// Enqueues an event for each threshold of `month` that was not reached before, and for each limit that is reached no more. The caller
/// has locked the rows of the figures, so that those of one tenant are announced in their order.
pub(super) async fn announce(
    transaction: &Transaction<'_>,
    month: Month,
    observed: &[ObservedUsage],
) -> Result<Announced> {
    let reached: Vec<_> = observed.iter().flat_map(|usage| Threshold::reached(usage, month)).collect();
    let below: Vec<_> = observed.iter().flat_map(BelowLimit::of).collect();
    let announced = Announced {
        reached: insert_reached(transaction, month, &reached).await?,
        below: delete_reached(transaction, &below).await?,
    };
    let of_reached = announced.reached.iter().map(|threshold| threshold.tenant_id);
    let tenants: HashSet<_> = of_reached.chain(announced.below.iter().map(|below| below.tenant_id)).collect();
    if tenants.is_empty() {
        return Ok(announced);
    }
    // Every writer of a tenant's events holds the lock on the tenant's row, so that the events keep their order.
    store::lock_tenants(transaction, tenants).await?;
    for below in &announced.below {
        let event = Event::new(EventType::TenantUsageBelowLimit, below.tenant_id, below);
        events::store::enqueue_event(transaction, &event).await?;
    }
    for threshold in &announced.reached {
        let event = Event::new(EventType::TenantUsageThresholdReached, threshold.tenant_id, threshold);
        events::store::enqueue_event(transaction, &event).await?;
    }
    Ok(announced)
}

/// Records thresholds. Returns those of them that are new in this month, since the limit was taken back, or under this setting.
async fn insert_reached(transaction: &Transaction<'_>, month: Month, reached: &[Threshold]) -> Result<Vec<Threshold>> {
    if reached.is_empty() {
        return Ok(Vec::new());
    }
    let of_month = store::insert_thresholds(transaction, month, reached).await?;
    let whole = reached.iter().filter(|threshold| threshold.is_whole());
    let whole: Vec<_> = whole.map(|threshold| (threshold.limit_key(), threshold.on_limit)).collect();
    let mut limits =
        if whole.is_empty() { HashMap::new() } else { store::limits::insert_reached(transaction, &whole).await? };
    let is_new = |threshold: &&Threshold| {
        of_month.contains(threshold) || threshold.is_whole() && limits.contains_key(&threshold.limit_key())
    };
    let mut new: Vec<_> = reached.iter().filter(is_new).copied().collect();
    // In a new month, a limit that has been reached since the last one is announced again.
    let is_older = |threshold: &&Threshold| threshold.is_whole() && !limits.contains_key(&threshold.limit_key());
    let older: Vec<_> = new.iter().filter(is_older).map(Threshold::limit_key).collect();
    if !older.is_empty() {
        limits.extend(store::limits::find_reached(transaction, &older).await?);
    }
    for threshold in new.iter_mut().filter(|threshold| threshold.is_whole()) {
        threshold.limit_id = limits.get(&threshold.limit_key()).copied();
    }
    Ok(new)
}

/// Deletes the records of limits that are not reached. Returns those that were.
async fn delete_reached(transaction: &Transaction<'_>, below: &[BelowLimit]) -> Result<Vec<BelowLimit>> {
    if below.is_empty() {
        return Ok(Vec::new());
    }
    let key = |below: &BelowLimit| (below.tenant_id, below.figure);
    let keys: Vec<_> = below.iter().map(key).collect();
    let deleted = store::limits::delete_reached(transaction, &keys).await?;
    Ok(below.iter().filter(|below| deleted.contains(&key(below))).copied().collect())
}
