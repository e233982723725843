//! A batch of messages: every tenant that they name is measured, several at once.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use serde::Deserialize;
use shared::{
    error::{Error, Result},
    types::TenantId,
    usage::{
        self,
        store::{Intervals, Target},
    },
    worker::Deadline,
};
use time::OffsetDateTime;
use tokio::{sync::Semaphore, task::JoinSet};
use tracing::{Instrument, error, info, info_span, warn};

use crate::{App, due::TENANTS_PER_MESSAGE, tenant};

/// Tenants that are measured at once.
const AT_ONCE: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    tenant_ids: Vec<TenantId>,
}

/// Measures the tenants of a batch, and tells which messages have to come again: those that are not ours, and those with a
/// tenant of which nothing could be kept. A tenant that there was no time for is due again by itself.
pub(crate) async fn work(app: &Arc<App>, batch: SqsEvent, deadline: Deadline) -> SqsBatchResponse {
    let (mut failed, mut tenants) = (BTreeSet::new(), BTreeSet::new());
    let mut messages = Vec::new();
    for message in batch.records {
        let id = message.message_id.clone().unwrap_or_default();
        match read(&message) {
            Ok(named) => {
                tenants.extend(named.iter().copied());
                messages.push((id, named));
            }
            Err(why) => {
                // Not repeated: it is not ours, so nobody knows what it holds.
                error!(message.id = id, why, "a message does not name tenants");
                failed.insert(id);
            }
        }
    }
    let lost = measure_all(app, tenants.into_iter().collect(), deadline).await;
    let is_lost = |named: &Vec<TenantId>| named.iter().any(|tenant| lost.contains(tenant));
    failed.extend(messages.into_iter().filter(|(_, named)| is_lost(named)).map(|(id, _)| id));
    let mut response = SqsBatchResponse::default();
    response.set_failures(failed);
    response
}

/// Gives the tenants of which nothing could be kept.
async fn measure_all(app: &Arc<App>, tenants: Vec<TenantId>, deadline: Deadline) -> BTreeSet<TenantId> {
    if tenants.is_empty() {
        return BTreeSet::new();
    }
    let targets = match find(app, &tenants).await {
        Ok(targets) => targets,
        Err(error) => {
            error!(error = error.chain(), "the platform database could not be asked");
            return tenants.into_iter().collect();
        }
    };
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let (mut tasks, mut measuring) = (JoinSet::new(), HashMap::new());
    for target in targets {
        let (app, permits) = (Arc::clone(app), Arc::clone(&permits));
        let (tenant_id, span) = (target.tenant_id, info_span!("measurement", tenant.id = %target.tenant_id));
        // A task of its own, so that a panic is its own too.
        let task = async move {
            let _permit = permits.acquire().await;
            measure(&app, &target, deadline).await
        };
        measuring.insert(tasks.spawn(task.instrument(span)).id(), tenant_id);
    }
    let mut lost = BTreeSet::new();
    while let Some(result) = tasks.join_next_with_id().await {
        let (task, why) = match result {
            Ok((_, Ok(()))) => continue,
            Ok((task, Err(error))) => (task, error.chain()),
            Err(panic) => (panic.id(), panic.to_string()),
        };
        if let Some(tenant) = measuring.get(&task) {
            error!(tenant.id = %tenant, why, "what became of a measurement could not be kept");
            lost.insert(*tenant);
        }
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
    let Body { tenant_ids } =
        serde_json::from_str(message.body.as_deref().unwrap_or_default()).map_err(|error| error.to_string())?;
    match tenant_ids.len() {
        1..=TENANTS_PER_MESSAGE => Ok(tenant_ids),
        number => Err(format!("it names {number} tenants")),
    }
}
