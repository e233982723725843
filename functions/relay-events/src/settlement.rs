//! Changes in tenants' databases that their requests have left open. Two relays may settle the same change, because only one
//! of them can delete it.

use std::{collections::BTreeMap, time::Instant};

use futures::{StreamExt, stream};
use shared::{
    error::Result,
    telemetry::trace,
    tenant_changes::{self, DueChange},
    worker::Deadline,
};

use crate::{App, RelayReport};

/// Changes per lease.
const BATCH: i64 = 50;

/// Tenants whose changes are settled at the same time.
const CONCURRENCY: usize = 8;

/// Settles changes until none is due or a third of the time is used up, so that tenants whose databases hang do not delay the
/// messages.
pub(crate) async fn settle_due(app: &App, deadline: Deadline, report: &mut RelayReport) -> Result<()> {
    let until = Instant::now() + deadline.remaining() / 3;
    loop {
        let due = tenant_changes::store::lease_due(&app.postgres.get().await?, BATCH).await?;
        let is_last_batch = due.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
        let mut by_tenant = BTreeMap::<_, Vec<DueChange>>::new();
        for change in due {
            by_tenant.entry(change.tenant_id()).or_default().push(change);
        }
        let settling = stream::iter(by_tenant.into_values()).map(|changes| settle_of_tenant(app, changes, until));
        let mut results = settling.buffer_unordered(CONCURRENCY);
        while let Some((settled, deferred)) = results.next().await {
            report.changes_settled += settled;
            report.changes_deferred += deferred;
        }
        if is_last_batch || Instant::now() >= until {
            return Ok(());
        }
    }
}

/// Settles the changes of one tenant, in their order. Stops when the tenant's database is unavailable. Returns how many were
/// settled, and how many were not.
async fn settle_of_tenant(app: &App, changes: Vec<DueChange>, until: Instant) -> (usize, usize) {
    let mut settled = 0;
    for change in &changes {
        if Instant::now() >= until {
            break;
        }
        let (id, tenant_id) = (change.id(), change.tenant_id());
        let result = trace::within(change.trace_id(), async {
            let result = settle(app, change).await;
            match &result {
                Ok(()) if matches!(change, DueChange::End(_)) => {
                    tracing::info!(change.id = %id, tenant.id = %tenant_id, "recorded the end of an impersonation");
                }
                Ok(()) => {
                    tracing::warn!(change.id = %id, tenant.id = %tenant_id, "settled a change that its request had left open");
                }
                Err(error) => {
                    let cause = error.chain();
                    tracing::warn!(change.id = %id, tenant.id = %tenant_id, error = cause, "a change is not settled yet");
                }
            }
            result
        });
        match result.await {
            Ok(()) => settled += 1,
            Err(error) if error.is_transient() => break,
            Err(_) => {}
        }
    }
    (settled, changes.len() - settled)
}

async fn settle(app: &App, change: &DueChange) -> Result<()> {
    let ended = tenant_changes::settle(&app.postgres, &app.databases, change).await?;
    if !ended.is_empty() {
        app.live_list.deny(&app.postgres.get().await?, &ended).await;
    }
    Ok(())
}
