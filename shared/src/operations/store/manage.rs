//! SQL with which a super-admin influences an open operation.

use deadpool_postgres::Transaction;

use crate::{error::Result, operations::OperationKind, types::OperationId};

/// Locks an operation until the transaction ends.
pub async fn lock(transaction: &Transaction<'_>, id: OperationId) -> Result<()> {
    let statement = transaction.prepare_cached("SELECT FROM operations WHERE id = $1 FOR UPDATE").await?;
    transaction.query(&statement, &[&id]).await?;
    Ok(())
}

/// Ends the wait of an operation.
pub async fn make_due(transaction: &Transaction<'_>, id: OperationId) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "UPDATE operations
             SET next_attempt_at = least(next_attempt_at, now()), updated_at = clock_timestamp(), revision = revision + 1
             WHERE id = $1 AND finished_at IS NULL",
        )
        .await?;
    transaction.execute(&statement, &[&id]).await?;
    Ok(())
}

/// Begins the rollback of an operation, and takes it from its worker: the new fencing token makes everything that the worker has begun
/// that of an earlier worker.
pub async fn abandon(transaction: &Transaction<'_>, id: OperationId, reason: &str) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "WITH fenced AS (
                 UPDATE tenant_databases d
                 SET fence_token = fence_token + 1, updated_at = clock_timestamp(),
                     state = CASE WHEN o.kind = ANY($3) THEN 'dropping' ELSE d.state END
                 FROM operations o
                 WHERE o.id = $1 AND o.finished_at IS NULL AND d.name = o.database_name
                 RETURNING fence_token
             )
             UPDATE operations
             SET status = 'undoing', lease_token = fenced.fence_token, lease_expires_at = NULL, reason = $2,
                 next_attempt_at = now(), fault = NULL, faults = 0,
                 updated_at = clock_timestamp(), revision = revision + 1
             FROM fenced
             WHERE operations.id = $1 AND finished_at IS NULL",
        )
        .await?;
    transaction.execute(&statement, &[&id, &reason, &OperationKind::creating()]).await?;
    Ok(())
}
