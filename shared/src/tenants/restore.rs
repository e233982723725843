//! Use case: restore a tenant that is being deleted.

use serde_json::json;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    clients::postgres::Connection,
    error::{Conflict, Result},
    events,
    operations::{self, OperationKind},
    precondition::IfMatch,
    tenants::{Tenant, TenantEvent, TenantStatus, change_access, store},
    types::{Actor, OperationId, TenantId},
};

/// A tenant to restore.
#[derive(Debug)]
pub struct RestoreTenant<'a> {
    pub actor: Actor<'a>,
    pub id: TenantId,
    pub if_match: &'a IfMatch,
}

/// A tenant with the status that it had before its deletion.
#[derive(Debug)]
pub struct RestoredTenant {
    pub tenant: Tenant,
    /// The operation that makes the services' access what the status demands.
    pub operation_id: OperationId,
}

/// Brings the status back, supersedes the operation that would have removed the tenant, and inserts the one that lets services in again. Fails
/// with [`Conflict::TenantNotRestorable`] unless the tenant is being deleted, and with [`Conflict::RecoveryEnded`] after the window.
///
/// The removal begins, under the same lock on the tenant, only after the window. So a tenant is restored whole or not at all.
pub async fn restore(platform: &mut Connection, command: &RestoreTenant<'_>) -> Result<RestoredTenant> {
    let (actor, id) = (command.actor, command.id);
    let transaction = platform.transaction().await?;
    let before = store::find_for_update(&transaction, id).await?;
    command.if_match.check(before.revision, "tenant")?;
    let (TenantStatus::Deleting, Some(deletion)) = (before.status, &before.deletion) else {
        return Err(Conflict::TenantNotRestorable { tenant_status: before.status.as_str() }.into());
    };
    // Without the export that the deletion demands, nothing is removed.
    let is_over = store::deletion::now(&transaction).await? >= deletion.purge_after;
    if is_over && !store::deletion::waits_for_export(&transaction, id).await? {
        return Err(Conflict::RecoveryEnded.into());
    }
    let kind = match deletion.status_before {
        TenantStatus::Active => OperationKind::Resume,
        // Its operation `suspend` may have been superseded before it ended.
        TenantStatus::Suspended => OperationKind::Suspend,
        _ => return Err(Conflict::RecoveryEnded.into()),
    };
    operations::store::supersede(&transaction, id, &[OperationKind::Purge], "The tenant is restored").await?;
    let tenant = store::deletion::take_back(&transaction, id, deletion.status_before).await?;
    let operation_id = change_access(&transaction, &tenant, kind, actor).await?;
    events::store::enqueue_event(&transaction, &TenantEvent::Restored.of(&tenant)).await?;
    let details = json!({ "deletion": deletion, "operation_id": operation_id });
    audit::store::insert(&transaction, &AuditEntry::done(actor, AuditAction::TenantRestore, id, details)).await?;
    transaction.commit().await?;
    Ok(RestoredTenant { tenant, operation_id })
}
