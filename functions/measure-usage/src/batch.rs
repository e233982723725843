//! Measures the tenants that a batch of messages names, several at once.

use std::{collections::BTreeSet, sync::Arc};

use aws_lambda_events::sqs::SqsBatchResponse;
use shared::{
    error::{Error, Result},
    types::TenantId,
    usage::measuring::{self, MeasureMessage, MeasureTenant},
    user_directory::Repair,
    worker::{Batch, Deadline, concurrently},
};
use tracing::{Instrument, error, info, info_span, warn};

use crate::App;

/// Tenants that are measured concurrently.
pub const CONCURRENCY: usize = 8;

/// Measures the tenants of a batch, and returns the messages to redeliver: malformed ones, and those with a tenant whose
/// result could not be recorded. A tenant that was skipped for lack of time is due again by itself.
pub(crate) async fn work(app: &Arc<App>, batch: Batch, deadline: Deadline) -> SqsBatchResponse {
    let (mut failed, mut tenants) = (BTreeSet::new(), BTreeSet::new());
    let mut messages = Vec::new();
    for message in batch.messages() {
        let id = message.message_id.clone().unwrap_or_default();
        match MeasureMessage::parse(message.body.as_deref().unwrap_or_default()) {
            Ok(MeasureMessage { tenant_ids }) => {
                tenants.extend(tenant_ids.iter().copied());
                messages.push((id, tenant_ids));
            }
            Err(reason) => {
                // The body is not logged: a message of unknown origin may contain anything.
                error!(message.id = id, reason, "malformed message");
                failed.insert(id);
            }
        }
    }
    let unrecorded = measure_all(app, tenants.into_iter().collect(), deadline).await;
    let is_unrecorded = |tenant_ids: &Vec<TenantId>| tenant_ids.iter().any(|tenant| unrecorded.contains(tenant));
    failed.extend(messages.into_iter().filter(|(_, tenant_ids)| is_unrecorded(tenant_ids)).map(|(id, _)| id));
    Batch::response(failed)
}

/// Returns the tenants whose result could not be recorded.
async fn measure_all(app: &Arc<App>, tenants: Vec<TenantId>, deadline: Deadline) -> BTreeSet<TenantId> {
    let tasks = tenants.into_iter().map(|tenant_id| {
        let app = Arc::clone(app);
        let span = info_span!("measurement", tenant.id = %tenant_id);
        (tenant_id, async move { measure(&app, tenant_id, deadline).await }.instrument(span))
    });
    let mut unrecorded = BTreeSet::new();
    for (tenant_id, result) in concurrently(tasks, CONCURRENCY).await {
        let reason = match result {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.chain(),
            Err(panic) => panic.to_string(),
        };
        error!(tenant.id = %tenant_id, reason, "recording the result of a measurement failed");
        unrecorded.insert(tenant_id);
    }
    unrecorded
}

/// Measures one tenant. An error means that the result could not be recorded.
async fn measure(app: &App, tenant_id: TenantId, deadline: Deadline) -> Result<()> {
    if deadline.is_near() {
        warn!("no time left to measure the tenant; it will be due again");
        return Ok(());
    }
    let timeout = deadline.cap(app.config.tenant_timeout);
    let command = MeasureTenant { tenant_id, timeout, intervals: app.intervals() };
    let Some(outcome) = measuring::measure(&app.platform, &app.stores, command).await? else {
        info!("nothing was recorded: the tenant has no databases, or another measurement of it has begun");
        return Ok(());
    };
    for threshold in outcome.thresholds {
        info!(figure = threshold.figure.as_str(), percent = threshold.percent, "threshold reached");
    }
    for failure in outcome.failures {
        let cause = failure.cause.as_ref().map(Error::chain);
        warn!(code = failure.code.as_str(), cause, "measuring a store of the tenant failed");
    }
    match outcome.directory {
        Some(Ok(Repair { compared, repaired, is_finished })) if repaired > 0 || !is_finished => {
            info!(compared, repaired, is_finished, "the user directory differed from the tenant's users");
        }
        None | Some(Ok(_)) => {}
        Some(Err(error)) => warn!(error = error.chain(), "comparing the user directory with the tenant's users failed"),
    }
    Ok(())
}
