//! Use case: export a tenant. A background operation copies its databases to files.

use deadpool_postgres::Transaction;
use serde_json::json;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    error::Result,
    events,
    exports::{self, Export, store::NewExport},
    operations::{self, OperationKind, store::NewOperation},
    tenants::store,
    types::{Actor, OperationId, Reason, TenantId},
};

/// A tenant to export.
#[derive(Debug, Clone, Copy)]
pub struct ExportTenant<'a> {
    pub actor: Actor<'a>,
    pub id: TenantId,
    pub reason: &'a Reason,
}

/// A pending export.
#[derive(Debug)]
pub struct RequestedExport {
    pub export: Export,
    /// The operation that writes it.
    pub operation_id: OperationId,
}

/// Inserts the export, its operation, the message to the worker and the audit entry. Fails with
/// [`Conflict`](crate::error::Conflict) unless the tenant is active, and if another operation works on its databases.
///
/// The caller commits the transaction together with the idempotency record, and then sends the message to the queue.
pub async fn export(transaction: &Transaction<'_>, command: &ExportTenant<'_>) -> Result<RequestedExport> {
    let ExportTenant { actor, id, reason } = *command;
    let tenant = store::find_for_update(transaction, id).await?;
    tenant.status.require_active()?;
    operations::require_none_open(operations::store::find_any_open(transaction, id).await?)?;
    let now = store::deletion::now(transaction).await?;
    let new = NewOperation {
        tenant_id: id,
        database_name: &tenant.mongo_database,
        kind: OperationKind::Export,
        requested_by: actor.id,
    };
    let operation_id = operations::store::insert(transaction, new, now).await?;
    let reason = reason.to_string();
    let new = NewExport { tenant_id: id, operation_id, requested_by: actor.id, reason: &reason };
    let export_id = exports::store::insert(transaction, new, now).await?;
    events::store::enqueue_provision(transaction, id, operation_id).await?;
    let details = json!({ "export_id": export_id, "operation_id": operation_id, "reason": reason });
    audit::store::insert(transaction, &AuditEntry::done(actor, AuditAction::TenantExport, id, details)).await?;
    Ok(RequestedExport { export: exports::store::find(transaction, id, export_id).await?, operation_id })
}
