//! Measures the tenants that a batch of messages names, several at once.

use std::{collections::BTreeSet, sync::Arc};

use aws_lambda_events::sqs::SqsBatchResponse;
use shared::{
    error::{Error, Result},
    types::TenantId,
    usage::{
        self, MeasurementTarget,
        measuring::{self, MeasureMessage, MeasureOutcome, MeasureTenant},
    },
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
    if tenants.is_empty() {
        return BTreeSet::new();
    }
    let targets = match find(app, &tenants).await {
        Ok(targets) => targets,
        Err(error) => {
            error!(error = error.chain(), "finding the tenants failed");
            return tenants.into_iter().collect();
        }
    };
    let tasks = targets.into_iter().map(|target| {
        let (app, tenant_id) = (Arc::clone(app), target.tenant_id);
        let span = info_span!("measurement", tenant.id = %tenant_id);
        (tenant_id, async move { measure(&app, &target, deadline).await }.instrument(span))
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

async fn find(app: &App, tenants: &[TenantId]) -> Result<Vec<MeasurementTarget>> {
    usage::store::find_targets(&app.platform.get().await?, tenants).await
}

/// Measures one tenant. An error means that the result could not be recorded.
async fn measure(app: &App, target: &MeasurementTarget, deadline: Deadline) -> Result<()> {
    if deadline.is_near() {
        warn!("no time left to measure the tenant; it will be due again");
        return Ok(());
    }
    let timeout = deadline.cap(app.config.tenant_timeout);
    let objects_interval = app.config.objects_interval;
    let command = MeasureTenant { target, timeout, objects_interval, intervals: app.intervals() };
    match measuring::measure(&app.platform, &app.stores, &command).await? {
        MeasureOutcome::Measured(thresholds) => {
            for threshold in thresholds {
                info!(figure = threshold.figure.as_str(), percent = threshold.percent, "threshold reached");
            }
        }
        MeasureOutcome::Failed(failure) => {
            let cause = failure.cause.as_ref().map(Error::chain);
            warn!(code = failure.code.as_str(), cause, "measuring the tenant failed");
        }
    }
    Ok(())
}
