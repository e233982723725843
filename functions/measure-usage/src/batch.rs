//! A batch of messages: every tenant that they name is measured, several at once.

use std::{collections::BTreeSet, sync::Arc};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsMessage};
use serde::Deserialize;
use shared::{
    error::{Error, Result},
    types::TenantId,
    usage::{
        self,
        store::{Intervals, Target},
    },
    worker::{Batch, Deadline, concurrently},
};
use time::OffsetDateTime;
use tracing::{Instrument, error, info, info_span, warn};

use crate::{App, due::TENANTS_PER_MESSAGE, tenant};

/// Tenants that are measured at the same time.
const CONCURRENCY: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    tenant_ids: Vec<TenantId>,
}

/// Measures the tenants of a batch. Messages that cannot be read, and those with a tenant whose result could not be written,
/// are delivered again. A tenant for which there was no time becomes due again without its message.
pub(crate) async fn work(app: &Arc<App>, batch: Batch, deadline: Deadline) -> SqsBatchResponse {
    let (mut failed, mut tenants) = (BTreeSet::new(), BTreeSet::new());
    let mut messages = Vec::new();
    for message in batch.messages() {
        let id = message.message_id.clone().unwrap_or_default();
        match read(message) {
            Ok(named) => {
                tenants.extend(named.iter().copied());
                messages.push((id, named));
            }
            Err(error) => {
                error!(message.id = id, error, "a message does not name tenants");
                failed.insert(id);
            }
        }
    }
    let lost = measure_all(app, tenants.into_iter().collect(), deadline).await;
    let is_lost = |named: &Vec<TenantId>| named.iter().any(|tenant| lost.contains(tenant));
    failed.extend(messages.into_iter().filter(|(_, named)| is_lost(named)).map(|(id, _)| id));
    Batch::response(failed)
}

/// Measures tenants, and returns those whose result could not be written.
async fn measure_all(app: &Arc<App>, tenants: Vec<TenantId>, deadline: Deadline) -> BTreeSet<TenantId> {
    if tenants.is_empty() {
        return BTreeSet::new();
    }
    let targets = match find(app, &tenants).await {
        Ok(targets) => targets,
        Err(error) => {
            error!(error = error.chain(), "looking up the tenants failed");
            return tenants.into_iter().collect();
        }
    };
    let tasks = targets.into_iter().map(|target| {
        let (app, tenant_id) = (Arc::clone(app), target.tenant_id);
        let span = info_span!("measurement", tenant.id = %tenant_id);
        (tenant_id, async move { measure(&app, &target, deadline).await }.instrument(span))
    });
    let mut lost = BTreeSet::new();
    for (tenant_id, result) in concurrently(tasks, CONCURRENCY).await {
        let error = match result {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error.chain(),
            Err(panic) => panic.to_string(),
        };
        error!(tenant.id = %tenant_id, error, "the result of a measurement could not be written");
        lost.insert(tenant_id);
    }
    lost
}

async fn find(app: &App, tenants: &[TenantId]) -> Result<Vec<Target>> {
    usage::store::find_targets(&app.platform.get().await?, tenants).await
}

/// Measures one tenant and keeps what became of it. An error means that it could not be kept.
async fn measure(app: &App, target: &Target, deadline: Deadline) -> Result<()> {
    if deadline.is_near() {
        warn!("there is no time left to measure the tenant; it will be due again");
        return Ok(());
    }
    let (config, at) = (&app.config, OffsetDateTime::now_utc());
    let found = match tenant::measure(&app.stores, target, at, deadline.cap(config.tenant_timeout)).await {
        Ok(found) => found,
        Err(fault) => {
            let cause = fault.cause.as_ref().map(Error::chain);
            warn!(code = fault.code.as_str(), cause, "the tenant could not be measured");
            let connection = app.platform.get().await?;
            return usage::store::fail(&connection, target.tenant_id, at, fault.code, config.retry_interval).await;
        }
    };
    let intervals = Intervals { active: config.active_interval, suspended: config.suspended_interval };
    let mut connection = app.platform.get().await?;
    let transaction = connection.transaction().await?;
    let passed = usage::store::record(&transaction, target.tenant_id, &found, intervals).await?;
    transaction.commit().await?;
    for threshold in passed {
        info!(figure = threshold.figure.as_str(), percent = threshold.percent, "a threshold is passed");
    }
    Ok(())
}

fn read(message: &SqsMessage) -> Result<Vec<TenantId>, String> {
    let Body { tenant_ids } = Batch::read(message)?;
    match tenant_ids.len() {
        1..=TENANTS_PER_MESSAGE => Ok(tenant_ids),
        number => Err(format!("it names {number} tenants")),
    }
}
