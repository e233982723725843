//! Use case: delete a tenant. Its databases are removed after a window in which it can be restored.

use serde_json::json;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    clients::postgres::Connection,
    error::{Conflict, Error, InputError, Location, Result},
    events,
    exports::{self, store::NewExport},
    operations::{self, OperationKind, OperationStatus, store::NewOperation},
    precondition::IfMatch,
    revocations::{self, EndedImpersonation},
    tenants::{Deletion, RecoveryDays, Tenant, TenantEvent, TenantStatus, store},
    types::{Actor, FaultCode, InvalidValue, OperationId, Reason, TenantId},
};

/// A tenant to delete.
#[derive(Debug)]
pub struct DeleteTenant<'a> {
    pub actor: Actor<'a>,
    pub id: TenantId,
    /// The tenant's slug. May be absent if `if_match` names a revision.
    pub confirm: Option<&'a str>,
    pub if_match: &'a IfMatch,
    pub reason: &'a Reason,
    pub recovery: RecoveryDays,
    /// Whether the tenant is exported before anything is removed.
    pub export: bool,
}

/// A tenant in status `deleting`.
#[derive(Debug)]
pub struct DeletedTenant {
    pub tenant: Tenant,
    /// The operation that shuts the services out at once, and removes everything after the window.
    pub operation_id: OperationId,
    /// Impersonations that ended. The caller denies their tokens.
    pub ended: Vec<EndedImpersonation>,
}

/// Changes the status, ends impersonations, supersedes the open operations on the tenant, and inserts the operation that removes it, in one transaction.
/// Fails with [`Conflict::TenantDeletionBegun`] if the tenant is being deleted already.
///
/// Fails with [`Conflict::OperationRunning`] while a promotion still copies objects, from this tenant or to it. A tenant that is restored
/// after its deletion would lack those that were not copied yet.
///
/// A tenant that was never active has nothing to be restored, so that there is no window. It has nothing to be exported either: the command
/// fails with [`Conflict::TenantNotReadable`] if it demands that.
pub async fn delete(platform: &mut Connection, command: &DeleteTenant<'_>) -> Result<DeletedTenant> {
    let (actor, id) = (command.actor, command.id);
    let transaction = platform.transaction().await?;
    let before = store::find_for_update(&transaction, id).await?;
    confirm(command, &before)?;
    before.status.require_kept()?;
    let open = operations::store::find_open(&transaction, id).await?;
    operations::require_none_open(open.filter(|open| open.kind == OperationKind::Promote))?;
    if let Some(operation_id) = store::restored::find_promotion_from(&transaction, id).await? {
        let (kind, status) = (OperationKind::Promote.as_str(), OperationStatus::Running.as_str());
        return Err(Conflict::OperationRunning { operation_id, kind, status }.into());
    }
    let can_be_restored = matches!(before.status, TenantStatus::Active | TenantStatus::Suspended);
    if command.export && !can_be_restored {
        return Err(Conflict::TenantNotReadable { tenant_status: before.status.as_str() }.into());
    }
    let now = store::deletion::now(&transaction).await?;
    let window = if can_be_restored { command.recovery.duration() } else { time::Duration::ZERO };
    let deletion = Deletion {
        requested_at: now,
        requested_by: actor.id.to_owned(),
        reason: command.reason.to_string(),
        purge_after: now + window,
        status_before: before.status,
    };
    let reason = "The tenant is deleted";
    operations::store::supersede(&transaction, id, &OperationKind::BEFORE_PURGE, reason).await?;
    let tenant = store::deletion::begin(&transaction, id, &deletion).await?;
    let new = NewOperation {
        tenant_id: id,
        database_name: &tenant.mongo_database,
        kind: OperationKind::Purge,
        requested_by: actor.id,
    };
    let steps = if command.export { new.kind.steps_with_export() } else { new.kind.steps().to_vec() };
    let operation_id = operations::store::insert_with_steps(&transaction, new, &steps, now).await?;
    if command.export {
        let new = NewExport { tenant_id: id, operation_id, requested_by: actor.id, reason: &deletion.reason };
        exports::store::insert(&transaction, new, now).await?;
    }
    operations::store::set_not_before(&transaction, operation_id, deletion.purge_after).await?;
    events::store::enqueue_event(&transaction, &TenantEvent::DeletionRequested.of(&tenant)).await?;
    events::store::enqueue_provision(&transaction, id, operation_id).await?;
    let details = json!({ "deletion": deletion, "export": command.export, "operation_id": operation_id });
    audit::store::insert(&transaction, &AuditEntry::done(actor, AuditAction::TenantDelete, id, details)).await?;
    let ended = revocations::end_of_tenant(&transaction, id, actor).await?;
    transaction.commit().await?;
    Ok(DeletedTenant { tenant, operation_id, ended })
}

/// Checks that the caller means this tenant: by its slug, by its revision, or by both.
fn confirm(command: &DeleteTenant<'_>, tenant: &Tenant) -> Result<()> {
    let invalid = |code, rule| {
        Error::Invalid(vec![InputError::new(Location::Query("confirm".to_owned()), InvalidValue::new(code, rule))])
    };
    match command.confirm {
        Some(slug) if slug != tenant.slug => {
            return Err(invalid(FaultCode::UnknownValue, "must be the slug of the tenant"));
        }
        None if !command.if_match.names_revision() => {
            return Err(invalid(
                FaultCode::Required,
                "must be the slug of the tenant, unless the header If-Match is sent",
            ));
        }
        _ => {}
    }
    command.if_match.check(tenant.revision, "tenant")
}
