//! Use cases: what a super-admin may do about an operation that does not come to an end.

use deadpool_postgres::Transaction;
use serde_json::json;

use super::{Operation, OperationStatus, store};
use crate::{
    audit::{self, AuditAction, AuditEntry},
    error::{Conflict, Result},
    events,
    types::{Actor, OperationId},
};

/// An operation that a super-admin wants to influence.
#[derive(Debug, Clone, Copy)]
pub struct ManageOperation<'a> {
    pub actor: Actor<'a>,
    pub id: OperationId,
}

/// Makes an operation due at once, however long it would have waited after its last fault, and lets it try a store that fails. A worker that is already at it is not
/// disturbed. Fails with [`Conflict::OperationEnded`] if it has ended.
///
/// The caller commits the transaction, and then sends the message to the queue.
pub async fn retry(transaction: &Transaction<'_>, command: ManageOperation<'_>) -> Result<Operation> {
    let open = find_open(transaction, command.id).await?;
    store::manage::make_due(transaction, open.id).await?;
    store::breakers::end_waits(transaction, open.tenant_id).await?;
    finish(transaction, command, &open, AuditAction::OperationRetry).await
}

/// Begins the rollback of an operation, at once and for good. A worker that is at it has no effect any more. Abandoning an operation
/// that is being rolled back already only makes it due. Fails with [`Conflict::OperationEnded`] if it has ended.
///
/// The caller commits the transaction, and then sends the message to the queue.
pub async fn abandon(transaction: &Transaction<'_>, command: ManageOperation<'_>) -> Result<Operation> {
    let open = find_open(transaction, command.id).await?;
    if open.status == OperationStatus::Undoing {
        store::manage::make_due(transaction, open.id).await?;
    } else {
        store::manage::abandon(transaction, open.id, "A super-admin abandoned the operation").await?;
    }
    finish(transaction, command, &open, AuditAction::OperationAbandon).await
}

async fn find_open(transaction: &Transaction<'_>, id: OperationId) -> Result<Operation> {
    store::manage::lock(transaction, id).await?;
    let operation = store::find(transaction, id).await?;
    if operation.has_ended() {
        return Err(Conflict::OperationEnded { operation_id: id, status: operation.status.as_str() }.into());
    }
    Ok(operation)
}

async fn finish(
    transaction: &Transaction<'_>,
    command: ManageOperation<'_>,
    operation: &Operation,
    action: AuditAction,
) -> Result<Operation> {
    events::store::enqueue_provision(transaction, operation.tenant_id, operation.id).await?;
    let details = json!({ "operation_id": operation.id });
    audit::store::insert(transaction, &AuditEntry::done(command.actor, action, operation.tenant_id, details)).await?;
    store::find(transaction, operation.id).await
}
