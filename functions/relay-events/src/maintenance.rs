//! What the schedule does besides delivery.

use std::time::Duration;

use shared::{
    error::{Error, Result},
    events, idempotency,
    operations::{self, store::journal},
    retention::{self, RemovedRows},
    telemetry::metrics::{self, Metric},
    tenant_changes,
    worker::Deadline,
};

use crate::App;

/// Stored responses that one statement deletes.
const PRUNE_BATCH: i64 = 1000;

/// Deletes stored responses that are too old to be replayed. Adds their number to `deleted`.
pub(crate) async fn prune_responses(app: &App, deadline: Deadline, deleted: &mut u64) -> Result<()> {
    let connection = app.postgres.get().await?;
    while !deadline.is_near() {
        let count = idempotency::store::delete_expired(&connection, PRUNE_BATCH).await?;
        *deleted += count;
        if count < PRUNE_BATCH.unsigned_abs() {
            break;
        }
    }
    Ok(())
}

/// Removes rows that are older than their retention. Returns the errors.
pub(crate) async fn remove_old_rows(app: &App, removed: &mut RemovedRows) -> Vec<Error> {
    match app.postgres.get().await {
        Ok(connection) => retention::remove_old_rows(&connection, &app.retention, removed).await,
        Err(error) => vec![error],
    }
}

/// How long an operation is due before the relay wakes it. In normal operation its message is delivered within seconds.
const OVERDUE_AFTER: Duration = Duration::from_mins(1);

/// How long the relay waits before it wakes the same operation again. A worker may have many messages to process.
const WAKE_INTERVAL: Duration = Duration::from_mins(5);

/// Wakes each operation that is overdue, because its message was lost or its worker died. Sets `woken` to their number.
pub(crate) async fn wake_operations(app: &App, woken: &mut u64) -> Result<()> {
    let connection = app.postgres.get().await?;
    *woken = journal::wake_overdue(&connection, OVERDUE_AFTER, WAKE_INTERVAL).await?;
    Ok(())
}

/// Reports the age of the oldest open operation and of the oldest pending message, and logs what is pending: in normal operation,
/// nothing.
pub(crate) async fn report_backlog(app: &App) -> Result<()> {
    let connection = app.postgres.get().await?;
    let backlog = events::store::count_backlog(&connection).await?;
    let oldest_operation_seconds = operations::store::find_oldest_open_age(&connection).await?;
    metrics::report(&[
        (Metric::OldestOperationAge, oldest_operation_seconds),
        (Metric::OutboxAge, backlog.oldest_seconds),
        (Metric::RefusedEvents, figure(backlog.refused)),
    ]);
    if backlog.refused > 0 {
        tracing::error!(
            outbox.refused = backlog.refused,
            "events that Kafka refused are pending; they hold back the later events of their subjects"
        );
    }
    if backlog.rows > 0 {
        let (rows, oldest_seconds) = (backlog.rows, backlog.oldest_seconds);
        tracing::info!(
            outbox.rows = rows,
            outbox.oldest_seconds = oldest_seconds,
            "messages are pending in the outbox"
        );
    }
    Ok(())
}

fn figure(count: i64) -> f64 {
    f64::from(i32::try_from(count).unwrap_or(i32::MAX))
}

/// Reports and logs the changes in tenants' databases that could not be settled.
pub(crate) async fn report_deferred_changes(app: &App) -> Result<()> {
    let (count, oldest_seconds) = tenant_changes::store::count_deferred(&app.postgres.get().await?).await?;
    metrics::report(&[(Metric::DeferredChanges, figure(count))]);
    if count > 0 {
        tracing::warn!(
            changes.deferred = count,
            changes.oldest_seconds = oldest_seconds,
            "changes in tenants' databases are not settled"
        );
    }
    Ok(())
}
