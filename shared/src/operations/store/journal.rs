//! The journal: SQL that workers run while they work on an operation. What is not in the journal did not happen.
//!
//! A worker works under a **lease**. Taking the lease increments the operation's fencing token, and every write to the
//! journal names the token of the lease. A worker that slept past the end of its lease (a frozen process, a paused Lambda)
//! gets [`JournalError::Fenced`] at its next write, whatever its own clock shows. Only the database's clock decides when a
//! lease has expired.

use std::time::Duration;

use deadpool_postgres::{GenericClient, Transaction};

use crate::{
    error::Result,
    operations::{Fault, JournalError, Lease, LeasedOperation, OperationKind, OperationStatus, StepChange, StepName},
    sql::RowReader,
    types::{OperationId, Placement},
};

impl From<tokio_postgres::Error> for JournalError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Takes the lease of an operation for `duration`, with a new fencing token of its databases. Returns `None` if the operation has
/// ended, does not exist, is not due, or is leased by another worker.
pub async fn take(client: &impl GenericClient, id: OperationId, duration: Duration) -> Result<Option<LeasedOperation>> {
    let statement = client
        .prepare_cached(
            "WITH due AS (
                 SELECT o.id, o.database_name
                 FROM operations o
                 WHERE o.id = $1
                     AND o.finished_at IS NULL
                     AND o.next_attempt_at <= clock_timestamp()
                     AND (o.lease_expires_at IS NULL OR o.lease_expires_at <= clock_timestamp())
                 FOR UPDATE OF o
             ),
             fenced AS (
                 UPDATE tenant_databases SET fence_token = fence_token + 1, updated_at = clock_timestamp()
                 FROM due
                 WHERE tenant_databases.name = due.database_name
                 RETURNING due.id, fence_token
             )
             UPDATE operations
             SET lease_token = fenced.fence_token,
                 lease_expires_at = clock_timestamp() + make_interval(secs => $2),
                 attempts = attempts + CASE status WHEN 'undoing' THEN 0 ELSE 1 END,
                 status = CASE status WHEN 'undoing' THEN 'undoing' ELSE 'running' END,
                 reason = CASE status WHEN 'undoing' THEN reason END,
                 fault = NULL,
                 updated_at = clock_timestamp(), revision = revision + 1
             FROM fenced
             WHERE operations.id = fenced.id
             RETURNING lease_token",
        )
        .await?;
    let Some(row) = client.query_opt(&statement, &[&id, &duration.as_secs_f64()]).await? else { return Ok(None) };
    let token: i64 = row.try_get(0)?;
    // A separate statement, because the first one may have waited for the previous worker's last write, and its snapshot
    // of the other tables would not contain that write.
    let statement = client
        .prepare_cached(
            "SELECT o.tenant_id, o.kind, o.status, o.reason, o.attempts, o.schema_version,
                    o.database_name, d.postgres_cluster, d.mongo_cluster, coalesce(d.operation_id, o.id),
                    ARRAY(SELECT name FROM operation_steps WHERE operation_id = o.id AND status = 'succeeded'),
                    o.created_at, o.faults, coalesce(o.gives_up_at <= clock_timestamp(), false),
                    EXISTS (SELECT FROM store_breakers WHERE purpose = 'operations')
             FROM operations o
             JOIN tenant_databases d ON d.name = o.database_name
             WHERE o.id = $1 AND o.lease_token = $2",
        )
        .await?;
    let Some(row) = client.query_opt(&statement, &[&id, &token]).await? else { return Ok(None) };
    let mut columns = RowReader::new(&row, 0);
    // Struct expressions are evaluated in the order in which they are written.
    Ok(Some(LeasedOperation {
        lease: Lease { operation_id: id, tenant_id: columns.take()?, token },
        kind: columns.take()?,
        status: columns.take()?,
        reason: columns.take()?,
        attempts: columns.take()?,
        schema_version: columns.take()?,
        database_name: columns.take()?,
        placement: Placement::read(columns.take()?, columns.take()?),
        creator: columns.take()?,
        succeeded: columns.take()?,
        created_at: columns.take()?,
        faults: columns.take()?,
        is_out_of_time: columns.take()?,
        has_breakers: columns.take()?,
    }))
}

/// The status of an operation, without taking its lease. `None` if the operation does not exist.
pub async fn find_status(client: &impl GenericClient, id: OperationId) -> Result<Option<OperationStatus>> {
    let statement = client.prepare_cached("SELECT status FROM operations WHERE id = $1").await?;
    client.query_opt(&statement, &[&id]).await?.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// Checks that no other worker has taken the operation. The result may be outdated when this returns, so an effect is safe
/// only in a store where the next worker ends, or fences off, everything that was started before.
pub async fn check(client: &impl GenericClient, lease: Lease) -> Result<(), JournalError> {
    let statement = client
        .prepare_cached("SELECT FROM operations WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL")
        .await?;
    require_held(client.query(&statement, &[&lease.operation_id, &lease.token]).await?.len() as u64)
}

/// Records a change of a step.
pub async fn record(
    client: &impl GenericClient,
    lease: Lease,
    step: StepName,
    change: StepChange<'_>,
) -> Result<(), JournalError> {
    let (status, starts, ends, error) = match change {
        StepChange::Started => ("running", true, false, None),
        StepChange::Succeeded => ("succeeded", false, true, None),
        StepChange::Failed(error) => ("failed", false, true, Some(error)),
        StepChange::UndoStarted => ("undoing", true, false, None),
        StepChange::Undone => ("undone", false, true, None),
        StepChange::UndoFailed(error) => ("undoing", false, true, Some(error)),
    };
    let statement = client
        .prepare_cached(
            "WITH held AS (
                 UPDATE operations SET updated_at = clock_timestamp(), revision = revision + 1
                 WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL
                 RETURNING id
             )
             UPDATE operation_steps
             SET status = $4,
                 attempts = attempts + CASE WHEN $5 THEN 1 ELSE 0 END,
                 started_at = CASE WHEN $5 THEN clock_timestamp() ELSE started_at END,
                 finished_at = CASE WHEN $6 THEN clock_timestamp() END,
                 -- The last error stays visible until the step succeeds.
                 error = CASE WHEN $4 IN ('running', 'undoing') THEN coalesce($7, error) ELSE $7 END
             FROM held
             WHERE operation_id = held.id AND name = $3",
        )
        .await?;
    require_held(
        client
            .execute(&statement, &[&lease.operation_id, &lease.token, &step, &status, &starts, &ends, &error])
            .await?,
    )
}

/// Records a step that starts and succeeds within the given transaction. The caller has checked the lease, by a write to the
/// operation that increments its revision.
pub async fn record_succeeded(transaction: &Transaction<'_>, lease: Lease, step: StepName) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "UPDATE operation_steps
             SET status = 'succeeded', attempts = attempts + 1, error = NULL,
                 started_at = now(), finished_at = clock_timestamp()
             WHERE operation_id = $1 AND name = $2",
        )
        .await?;
    transaction.execute(&statement, &[&lease.operation_id, &step]).await?;
    Ok(())
}

/// Records that steps which had nothing to do have succeeded. The caller has checked the lease.
pub async fn record_unused(transaction: &Transaction<'_>, lease: Lease) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "UPDATE operation_steps SET status = 'succeeded', finished_at = clock_timestamp()
             WHERE operation_id = $1 AND status = 'pending'",
        )
        .await?;
    transaction.execute(&statement, &[&lease.operation_id]).await?;
    Ok(())
}

/// Records the version of the tenant schema that is being created, and locks the operation until the transaction ends. The
/// caller has already locked the tenant's row, so that all transactions lock in the same order.
pub async fn set_schema_version(
    transaction: &impl GenericClient,
    lease: Lease,
    schema_version: i32,
) -> Result<(), JournalError> {
    let statement = transaction
        .prepare_cached(
            "UPDATE operations SET schema_version = $3, updated_at = clock_timestamp(), revision = revision + 1
             WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL",
        )
        .await?;
    require_held(transaction.execute(&statement, &[&lease.operation_id, &lease.token, &schema_version]).await?)
}

/// The version of the tenant schema that is being created.
pub async fn find_schema_version(client: &impl GenericClient, lease: Lease) -> Result<i32, JournalError> {
    let statement = client
        .prepare_cached(
            "SELECT schema_version FROM operations
             WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL AND schema_version IS NOT NULL",
        )
        .await?;
    let row = client.query_opt(&statement, &[&lease.operation_id, &lease.token]).await?;
    let row = row.ok_or(JournalError::Fenced)?;
    Ok(row.try_get(0)?)
}

/// Begins the rollback of an operation. This is final: the operation never applies a step again. Databases that it has created are going to
/// be dropped; those that it only reads stay. Returns the lease with a new
/// fencing token, so that the rollback also ends what this worker itself has begun and lost.
pub async fn begin_rollback(client: &impl GenericClient, lease: Lease, reason: &str) -> Result<Lease, JournalError> {
    let statement = client
        .prepare_cached(
            "WITH held AS (
                 SELECT o.id, o.database_name, o.kind
                 FROM operations o
                 WHERE o.id = $1 AND o.lease_token = $2 AND o.finished_at IS NULL
                 FOR UPDATE OF o
             ),
             fenced AS (
                 UPDATE tenant_databases
                 SET fence_token = fence_token + 1, updated_at = clock_timestamp(),
                     state = CASE WHEN held.kind = ANY($4) THEN 'dropping' ELSE state END
                 FROM held
                 WHERE tenant_databases.name = held.database_name
                 RETURNING held.id, fence_token
             )
             UPDATE operations
             SET status = 'undoing', lease_token = fenced.fence_token, reason = $3, faults = 0,
                 updated_at = clock_timestamp(), revision = revision + 1
             FROM fenced
             WHERE operations.id = fenced.id
             RETURNING lease_token",
        )
        .await?;
    let creating = OperationKind::creating();
    let row = client.query_opt(&statement, &[&lease.operation_id, &lease.token, &reason, &creating]).await?;
    let row = row.ok_or(JournalError::Fenced)?;
    Ok(Lease { token: row.try_get(0)?, ..lease })
}

/// Ends an attempt after a fault, and gives the lease back: the operation is due again after `wait`. If a store is unavailable, the time
/// of the operation's `budget` begins anew. This worker must have no request in progress.
pub async fn postpone(
    client: &impl GenericClient,
    lease: Lease,
    fault: Fault,
    reason: &str,
    wait: Duration,
    budget: Option<Duration>,
) -> Result<(), JournalError> {
    let statement = client
        .prepare_cached(
            "UPDATE operations
             SET lease_expires_at = NULL, fault = $3, faults = faults + 1,
                 -- The cause of a rollback stays visible.
                 reason = CASE status WHEN 'undoing' THEN reason ELSE $4 END,
                 next_attempt_at = clock_timestamp() + make_interval(secs => $5),
                 gives_up_at = CASE $3 WHEN 'unavailable' THEN clock_timestamp() + make_interval(secs => $5 + $6)
                     ELSE gives_up_at END,
                 updated_at = clock_timestamp(), revision = revision + 1
             WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL",
        )
        .await?;
    let (wait, budget) = (wait.as_secs_f64(), budget.map(|budget| budget.as_secs_f64()));
    let rows =
        client.execute(&statement, &[&lease.operation_id, &lease.token, &fault, &reason, &wait, &budget]).await?;
    require_held(rows)
}

/// Ends a running operation as succeeded, in the transaction that activates the tenant. The caller has already locked the
/// tenant's row.
pub async fn succeed(transaction: &Transaction<'_>, lease: Lease) -> Result<(), JournalError> {
    succeed_with(transaction, lease, None).await
}

/// As [`succeed`], with what a super-admin must know about the result.
pub async fn succeed_with(
    transaction: &Transaction<'_>,
    lease: Lease,
    reason: Option<&str>,
) -> Result<(), JournalError> {
    let statement = transaction
        .prepare_cached(
            "UPDATE operations
             SET status = 'succeeded', reason = $3, lease_expires_at = NULL, next_attempt_at = NULL, revision = revision + 1,
                 updated_at = clock_timestamp(), finished_at = clock_timestamp()
             WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL AND status = 'running'",
        )
        .await?;
    require_held(transaction.execute(&statement, &[&lease.operation_id, &lease.token, &reason]).await?)
}

/// Ends an operation that was rolled back as failed, in the transaction that marks the tenant as failed. The caller has
/// already locked the tenant's row.
pub async fn fail(transaction: &Transaction<'_>, lease: Lease) -> Result<(), JournalError> {
    let statement = transaction
        .prepare_cached(
            "WITH ended AS (
                 UPDATE operations
                 SET status = 'failed', lease_expires_at = NULL, next_attempt_at = NULL, revision = revision + 1,
                     updated_at = clock_timestamp(), finished_at = clock_timestamp()
                 WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL AND status = 'undoing'
                 RETURNING id
             ),
             undone AS (
                 -- Steps without an effect outside this database end as undone in the same statement.
                 UPDATE operation_steps SET status = 'undone', finished_at = clock_timestamp()
                 FROM ended
                 WHERE operation_id = ended.id AND status NOT IN ('pending', 'failed', 'undone')
             )
             SELECT FROM ended",
        )
        .await?;
    require_held(transaction.query(&statement, &[&lease.operation_id, &lease.token]).await?.len() as u64)
}

/// Enqueues a message for each operation that has been due for `grace` without a worker: its message was lost or is a dead letter,
/// or its worker died. An operation is woken again only after `interval`. Returns the number of messages, at most 1000.
pub async fn wake_overdue(client: &impl GenericClient, grace: Duration, interval: Duration) -> Result<u64> {
    let statement = client
        .prepare_cached(
            "WITH overdue AS (
                 SELECT id FROM operations
                 WHERE finished_at IS NULL
                     AND next_attempt_at < now() - make_interval(secs => $1)
                     AND (lease_expires_at IS NULL OR lease_expires_at < now())
                     AND (woken_at IS NULL OR woken_at < next_attempt_at OR woken_at < now() - make_interval(secs => $2))
                     AND NOT EXISTS (
                         SELECT FROM outbox
                         WHERE outbox.destination = 'provision' AND outbox.message_id = operations.id
                     )
                 ORDER BY next_attempt_at
                 LIMIT 1000
                 FOR UPDATE SKIP LOCKED
             ),
             woken AS (
                 UPDATE operations SET woken_at = now()
                 FROM overdue
                 WHERE operations.id = overdue.id
                 RETURNING operations.id, operations.tenant_id, operations.trace_id
             )
             INSERT INTO outbox (destination, message_id, key, payload, trace_id)
             SELECT 'provision', id, tenant_id::text,
                    jsonb_build_object('operation_id', id, 'trace_id', replace(trace_id::text, '-', '')), trace_id
             FROM woken",
        )
        .await?;
    Ok(client.execute(&statement, &[&grace.as_secs_f64(), &interval.as_secs_f64()]).await?)
}

pub(super) fn require_held(rows: u64) -> Result<(), JournalError> {
    if rows == 0 { Err(JournalError::Fenced) } else { Ok(()) }
}
