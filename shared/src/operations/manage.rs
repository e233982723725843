//! Use cases: what a super-admin may do about an operation that does not come to an end.

use deadpool_postgres::Transaction;
use serde_json::json;

use super::{Operation, OperationStatus, store};
use crate::{
    audit::{self, AuditAction, AuditEntry},
    clients::postgres::Postgres,
    error::{Conflict, Result},
    events::{self, dispatch::Dispatcher},
    types::{Actor, OperationId},
};

/// An operation that a super-admin wants to influence.
#[derive(Debug, Clone, Copy)]
pub struct ManageOperation<'a> {
    pub actor: Actor<'a>,
    pub id: OperationId,
}

/// Makes an operation due at once, however long it would have waited after its last fault, and lets it try a store that fails. A worker
/// that is already at it is not disturbed. Fails with [`Conflict::OperationEnded`] if it has ended.
pub async fn retry(platform: &Postgres, dispatcher: &Dispatcher, command: ManageOperation<'_>) -> Result<Operation> {
    manage(platform, dispatcher, command, AuditAction::OperationRetry, async |transaction, open| {
        store::manage::make_due(transaction, open.id).await?;
        store::breakers::end_waits(transaction, open.tenant_id).await
    })
    .await
}

/// Begins the rollback of an operation, at once and for good. A worker that is at it has no effect any more. Abandoning an operation
/// that is being rolled back already, or of a kind without a rollback, only makes it due. Fails with [`Conflict::OperationEnded`] if it has ended.
pub async fn abandon(platform: &Postgres, dispatcher: &Dispatcher, command: ManageOperation<'_>) -> Result<Operation> {
    manage(platform, dispatcher, command, AuditAction::OperationAbandon, async |transaction, open| {
        if open.status == OperationStatus::Undoing || open.kind.budget().is_none() {
            store::manage::make_due(transaction, open.id).await
        } else {
            store::manage::abandon(transaction, open.id, "A super-admin abandoned the operation").await
        }
    })
    .await
}

/// Changes an open operation, with an audit entry, and wakes a worker.
async fn manage(
    platform: &Postgres,
    dispatcher: &Dispatcher,
    command: ManageOperation<'_>,
    action: AuditAction,
    change: impl AsyncFnOnce(&Transaction<'_>, &Operation) -> Result<()>,
) -> Result<Operation> {
    let ManageOperation { actor, id } = command;
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    store::manage::lock(&transaction, id).await?;
    let open = store::find(&transaction, id).await?;
    if open.has_ended() {
        return Err(Conflict::OperationEnded { operation_id: id, status: open.status.as_str() }.into());
    }
    change(&transaction, &open).await?;
    events::store::enqueue_provision(&transaction, open.tenant_id, id).await?;
    let details = json!({ "operation_id": id });
    audit::store::insert(&transaction, &AuditEntry::done(actor, action, open.tenant_id, details)).await?;
    let changed = store::find(&transaction, id).await?;
    transaction.commit().await?;
    dispatcher.send_provision(&connection, id).await;
    Ok(changed)
}
