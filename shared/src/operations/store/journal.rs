//! The journal of operations: the worker's side of them. What is not written here did not happen.
//!
//! A worker works under a **lease**. Taking it raises the operation's fencing token, and every write of the journal names
//! the token that it was taken with: a worker that slept through the end of its lease (a frozen process, a Lambda that was
//! paused) finds itself [`JournalError::Fenced`] at its next write, whatever its own clock says. Only the database's clock
//! decides when a lease has expired.

use std::time::Duration;

use deadpool_postgres::{GenericClient, Transaction};

use crate::{
    error::{Error, Result},
    operations::{OperationKind, OperationStatus, StepName},
    types::{OperationId, TenantId},
};
use crate::{
    operations::store::{read_kind, read_status},
    types::Placement,
};

/// The right to work on an operation, until another worker takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The operation.
    pub operation_id: OperationId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// The fencing token: greater than that of every earlier lease on the operation.
    pub token: i64,
}

/// An operation as its new worker finds it.
#[derive(Debug, Clone)]
pub struct LeasedOperation {
    /// The lease that was taken.
    pub lease: Lease,
    /// What is done.
    pub kind: OperationKind,
    /// `Undoing` or `Running`.
    pub status: OperationStatus,
    /// Why it is being undone.
    pub reason: Option<String>,
    /// How often the steps were taken up, this time included.
    pub attempts: i32,
    /// Name of the PostgreSQL and the MongoDB database that it makes.
    pub database_name: String,
    /// Where the tenant is placed; `None` before the first step is done.
    pub placement: Option<Placement>,
    /// The version of the tenant schema that is being made; `None` before the first step is done.
    pub schema_version: Option<i32>,
    /// The steps whose effect is there.
    pub succeeded: Vec<StepName>,
}

/// A write of the journal that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another worker has the operation now. Nothing may be done any more.
    #[error("another worker has taken the operation over")]
    Fenced,
    /// The platform database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<tokio_postgres::Error> for JournalError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy)]
pub enum StepChange<'a> {
    /// It is about to be applied.
    Begun,
    /// Its effect is there.
    Succeeded,
    /// It could not be applied, for a reason that an operator can read.
    Failed(&'a str),
    /// Its effect is about to be removed.
    UndoBegun,
    /// Nothing of it is left.
    Undone,
    /// Its effect could not be removed, for a reason that an operator can read.
    UndoFailed(&'a str),
}

/// Takes the lease of an operation for `duration`; `None` when it is finished, unknown, or in the hands of another worker.
pub async fn take(client: &impl GenericClient, id: OperationId, duration: Duration) -> Result<Option<LeasedOperation>> {
    let statement = client
        .prepare_cached(
            "UPDATE operations
             SET lease_token = lease_token + 1,
                 lease_expires_at = clock_timestamp() + make_interval(secs => $2),
                 attempts = attempts + CASE status WHEN 'undoing' THEN 0 ELSE 1 END,
                 status = CASE status WHEN 'undoing' THEN 'undoing' ELSE 'running' END,
                 updated_at = clock_timestamp()
             WHERE id = $1
                 AND finished_at IS NULL
                 AND (lease_expires_at IS NULL OR lease_expires_at <= clock_timestamp())
             RETURNING lease_token",
        )
        .await?;
    let Some(row) = client.query_opt(&statement, &[&id.0, &duration.as_secs_f64()]).await? else { return Ok(None) };
    let token: i64 = row.try_get(0)?;
    // A statement of its own: the one above may have waited for the last worker's last write, which its snapshot of
    // the other tables would not show.
    let statement = client
        .prepare_cached(
            "SELECT o.tenant_id, o.kind, o.status, o.reason, o.attempts, o.schema_version,
                    t.database_name, t.postgres_cluster, t.mongo_cluster,
                    ARRAY(SELECT name FROM operation_steps WHERE operation_id = o.id AND status = 'succeeded')
             FROM operations o
             JOIN tenants t ON t.id = o.tenant_id
             WHERE o.id = $1 AND o.lease_token = $2",
        )
        .await?;
    let Some(row) = client.query_opt(&statement, &[&id.0, &token]).await? else { return Ok(None) };
    let succeeded: Vec<String> = row.try_get(9)?;
    Ok(Some(LeasedOperation {
        lease: Lease { operation_id: id, tenant_id: TenantId(row.try_get(0)?), token },
        kind: read_kind(row.try_get(1)?)?,
        status: read_status(row.try_get(2)?)?,
        reason: row.try_get(3)?,
        attempts: row.try_get(4)?,
        schema_version: row.try_get(5)?,
        database_name: row.try_get(6)?,
        placement: Placement::read(row.try_get(7)?, row.try_get(8)?),
        succeeded: succeeded.iter().filter_map(|name| StepName::from_text(name)).collect(),
    }))
}

/// Where an operation stands, without taking it; `None` when there is no such operation.
pub async fn find_status(client: &impl GenericClient, id: OperationId) -> Result<Option<OperationStatus>> {
    let statement = client.prepare_cached("SELECT status FROM operations WHERE id = $1").await?;
    client.query_opt(&statement, &[&id.0]).await?.map(|row| read_status(row.try_get(0)?)).transpose()
}

/// Makes sure that nobody else has taken the operation. What it proves is past when it returns: an effect is safe only
/// where the next worker ends, or outbids, whatever was begun before.
pub async fn check(client: &impl GenericClient, lease: Lease) -> Result<(), JournalError> {
    let statement = client
        .prepare_cached("SELECT FROM operations WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL")
        .await?;
    held(client.query(&statement, &[&lease.operation_id.0, &lease.token]).await?.len() as u64)
}

/// Writes what became of a step.
pub async fn record(
    client: &impl GenericClient,
    lease: Lease,
    step: StepName,
    change: StepChange<'_>,
) -> Result<(), JournalError> {
    let (status, begins, ends, error) = match change {
        StepChange::Begun => ("running", true, false, None),
        StepChange::Succeeded => ("succeeded", false, true, None),
        StepChange::Failed(error) => ("failed", false, true, Some(error)),
        StepChange::UndoBegun => ("undoing", true, false, None),
        StepChange::Undone => ("undone", false, true, None),
        StepChange::UndoFailed(error) => ("undoing", false, true, Some(error)),
    };
    let statement = client
        .prepare_cached(
            "WITH held AS (
                 UPDATE operations SET updated_at = clock_timestamp()
                 WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL
                 RETURNING id
             )
             UPDATE operation_steps
             SET status = $4,
                 attempts = attempts + CASE WHEN $5 THEN 1 ELSE 0 END,
                 started_at = CASE WHEN $5 THEN clock_timestamp() ELSE started_at END,
                 finished_at = CASE WHEN $6 THEN clock_timestamp() END,
                 -- What it failed of stays to be read until it succeeds.
                 error = CASE WHEN $4 IN ('running', 'undoing') THEN coalesce($7, error) ELSE $7 END
             FROM held
             WHERE operation_id = held.id AND name = $3",
        )
        .await?;
    held(
        client
            .execute(
                &statement,
                &[&lease.operation_id.0, &lease.token, &step.as_str(), &status, &begins, &ends, &error],
            )
            .await?,
    )
}

/// Writes a step that begins and succeeds with the transaction it is part of. The caller has checked the lease.
pub async fn record_with(transaction: &Transaction<'_>, lease: Lease, step: StepName) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "UPDATE operation_steps
             SET status = 'succeeded', attempts = attempts + 1, error = NULL,
                 started_at = now(), finished_at = clock_timestamp()
             WHERE operation_id = $1 AND name = $2",
        )
        .await?;
    transaction.execute(&statement, &[&lease.operation_id.0, &step.as_str()]).await?;
    Ok(())
}

/// Writes which version of the tenant schema is being made, and holds the operation until the transaction ends. The
/// tenant's row is locked before, never after.
pub async fn set_schema_version(
    transaction: &Transaction<'_>,
    lease: Lease,
    schema_version: i32,
) -> Result<(), JournalError> {
    let statement = transaction
        .prepare_cached(
            "UPDATE operations SET schema_version = $3, updated_at = clock_timestamp()
             WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL",
        )
        .await?;
    held(transaction.execute(&statement, &[&lease.operation_id.0, &lease.token, &schema_version]).await?)
}

/// Turns an operation round, for good: from now on it is undone.
pub async fn begin_rollback(client: &impl GenericClient, lease: Lease, reason: &str) -> Result<(), JournalError> {
    let statement = client
        .prepare_cached(
            "UPDATE operations SET status = 'undoing', reason = $3, updated_at = clock_timestamp()
             WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL",
        )
        .await?;
    held(client.execute(&statement, &[&lease.operation_id.0, &lease.token, &reason]).await?)
}

/// Gives the lease back, so that another delivery can take it at once. Nothing of this worker may be under way.
pub async fn release(client: &impl GenericClient, lease: Lease) -> Result<(), JournalError> {
    let statement = client
        .prepare_cached(
            "UPDATE operations SET lease_expires_at = NULL, updated_at = clock_timestamp()
             WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL",
        )
        .await?;
    held(client.execute(&statement, &[&lease.operation_id.0, &lease.token]).await?)
}

/// Ends a running operation as succeeded; the transaction holds what that means. The tenant's row is locked before.
pub async fn succeed(transaction: &Transaction<'_>, lease: Lease) -> Result<(), JournalError> {
    let statement = transaction
        .prepare_cached(
            "UPDATE operations
             SET status = 'succeeded', reason = NULL, lease_expires_at = NULL,
                 updated_at = clock_timestamp(), finished_at = clock_timestamp()
             WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL AND status = 'running'",
        )
        .await?;
    held(transaction.execute(&statement, &[&lease.operation_id.0, &lease.token]).await?)
}

/// Ends an operation that is undone as failed; the transaction holds what that means. The tenant's row is locked before.
pub async fn fail(transaction: &Transaction<'_>, lease: Lease) -> Result<(), JournalError> {
    let statement = transaction
        .prepare_cached(
            "WITH ended AS (
                 UPDATE operations
                 SET status = 'failed', lease_expires_at = NULL,
                     updated_at = clock_timestamp(), finished_at = clock_timestamp()
                 WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL AND status = 'undoing'
                 RETURNING id
             ),
             undone AS (
                 -- What has no effect outside of this database is undone with it.
                 UPDATE operation_steps SET status = 'undone', finished_at = clock_timestamp()
                 FROM ended
                 WHERE operation_id = ended.id AND status NOT IN ('pending', 'failed', 'undone')
             )
             SELECT FROM ended",
        )
        .await?;
    held(transaction.query(&statement, &[&lease.operation_id.0, &lease.token]).await?.len() as u64)
}

/// Owes the queue a message again about each operation that is open, in nobody's hands and untouched for `idle`, and has
/// none in the outbox: its message is lost or a dead letter. Gives their number, 100 at the most. `idle` must be longer
/// than a message can wait in the queue between two deliveries.
pub async fn requeue_stuck(client: &impl GenericClient, idle: Duration) -> Result<u64> {
    let statement = client
        .prepare_cached(
            "WITH stuck AS (
                 SELECT id FROM operations
                 WHERE finished_at IS NULL
                     AND updated_at < now() - make_interval(secs => $1)
                     AND (lease_expires_at IS NULL OR lease_expires_at < now())
                     AND NOT EXISTS (
                         SELECT FROM outbox
                         WHERE outbox.destination = 'provision' AND outbox.message_id = operations.id
                     )
                 ORDER BY updated_at
                 LIMIT 100
                 FOR UPDATE SKIP LOCKED
             ),
             touched AS (
                 UPDATE operations SET updated_at = clock_timestamp()
                 FROM stuck
                 WHERE operations.id = stuck.id
                 RETURNING operations.id, operations.tenant_id
             )
             INSERT INTO outbox (destination, message_id, key, payload)
             SELECT 'provision', id, tenant_id::text, jsonb_build_object('operation_id', id)
             FROM touched",
        )
        .await?;
    Ok(client.execute(&statement, &[&idle.as_secs_f64()]).await?)
}

fn held(rows: u64) -> Result<(), JournalError> {
    if rows == 0 { Err(JournalError::Fenced) } else { Ok(()) }
}
