//! Use case: provision a failed tenant again.

use deadpool_postgres::Transaction;
use serde_json::json;
use time::OffsetDateTime;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    error::{Conflict, Result},
    events,
    operations::{self, OperationKind, store::NewOperation},
    tenants::{Tenant, TenantStatus, new_database_name, store},
    types::{Actor, OperationId, TenantId},
};

/// A failed tenant to provision again, with the values that it was created with.
#[derive(Debug, Clone, Copy)]
pub struct RetryTenant<'a> {
    pub actor: Actor<'a>,
    pub id: TenantId,
}

/// A tenant that is in status `provisioning` again.
#[derive(Debug)]
pub struct RetriedTenant {
    pub tenant: Tenant,
    /// The operation that provisions the tenant.
    pub operation_id: OperationId,
}

/// Changes the status, and inserts a new operation, the message to the worker and the audit entry. Fails with
/// [`Conflict`] if an operation is open, the tenant has not failed, it failed so long ago that the password of its first user was erased, or it
/// is a restored copy.
///
/// The caller commits the transaction together with the idempotency record, and then sends the message to the queue.
pub async fn retry(transaction: &Transaction<'_>, command: &RetryTenant<'_>) -> Result<RetriedTenant> {
    let RetryTenant { actor, id } = *command;
    let before = store::find_for_update(transaction, id).await?;
    before.status.require_kept()?;
    operations::require_none_open(operations::store::find_open(transaction, id).await?)?;
    if before.status != TenantStatus::Failed {
        return Err(Conflict::TenantNotFailed { tenant_status: before.status.as_str() }.into());
    }
    if before.restored_from.is_some() {
        return Err(Conflict::RestoreNotRetried.into());
    }
    if store::is_first_password_erased(transaction, id).await? {
        return Err(Conflict::FirstPasswordErased.into());
    }
    let database_name = new_database_name();
    let tenant = store::provision_again(transaction, id, &database_name).await?;
    let new = NewOperation {
        tenant_id: id,
        database_name: &database_name,
        kind: OperationKind::Retry,
        requested_by: actor.id,
    };
    let operation_id = operations::store::insert(transaction, new, OffsetDateTime::now_utc()).await?;
    events::store::enqueue_provision(transaction, id, operation_id).await?;
    let details = json!({ "operation_id": operation_id });
    audit::store::insert(transaction, &AuditEntry::done(actor, AuditAction::TenantRetry, id, details)).await?;
    Ok(RetriedTenant { tenant, operation_id })
}
