//! Use case: give a tenant the databases of its restored copy.

use deadpool_postgres::Transaction;
use serde_json::json;
use time::OffsetDateTime;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    error::{Conflict, Error, InputError, Location, Result},
    events,
    operations::{self, OperationKind, store::NewOperation},
    precondition::IfMatch,
    restores::store,
    tenants::{self, Tenant, TenantEvent, TenantStatus, change_access},
    types::{Actor, FaultCode, InvalidValue, OperationId, Reason, TenantId},
};

/// A restored copy to promote.
#[derive(Debug)]
pub struct PromoteTenant<'a> {
    pub actor: Actor<'a>,
    /// The copy.
    pub id: TenantId,
    /// The slug of the original.
    pub confirm: &'a str,
    /// The revision of the copy.
    pub if_match: &'a IfMatch,
    pub reason: &'a Reason,
}

/// A tenant that has the databases of its copy.
#[derive(Debug)]
pub struct PromotedTenant {
    /// The original.
    pub tenant: Tenant,
    /// The operation that copies the objects which the original lacks.
    pub operation_id: OperationId,
    /// The operation that keeps services out of the databases which the copy has got.
    pub operation_of_copy: OperationId,
}

/// Swaps the databases of the copy and of its original, and inserts an operation for each, the events and the audit entries. Fails with
/// [`Conflict`] unless both tenants are suspended, have the same schema, no open operation and no unsettled change.
///
/// The suspension is the fence: no service and no super-admin can write to either database. Services only lose their access with the end of
/// the operation `suspend`, so that it must have ended too.
pub async fn promote(transaction: &Transaction<'_>, command: &PromoteTenant<'_>) -> Result<PromotedTenant> {
    let (actor, id) = (command.actor, command.id);
    let source = tenants::store::find(transaction, id).await?.restored_from.ok_or(Conflict::NotARestoredCopy)?;
    let (copy, original) = lock(transaction, id, source.tenant_id).await?;
    command.if_match.check(copy.revision, "tenant")?;
    if command.confirm != original.slug {
        let rule = InvalidValue::new(
            FaultCode::UnknownValue,
            "must be the slug of the tenant that the copy was restored from",
        );
        return Err(Error::Invalid(vec![InputError::new(Location::Query("confirm".to_owned()), rule)]));
    }
    for tenant in [&original, &copy] {
        if tenant.status != TenantStatus::Suspended {
            let (tenant_id, tenant_status) = (tenant.id, tenant.status.as_str());
            return Err(Conflict::TenantNotSuspended { tenant_id, tenant_status }.into());
        }
        operations::require_none_open(operations::store::find_any_open(transaction, tenant.id).await?)?;
        if !store::is_settled(transaction, tenant.id).await? {
            return Err(Conflict::ChangesUnsettled { tenant_id: tenant.id }.into());
        }
    }
    let (found, required) = (copy.schema_version, original.schema_version);
    if found != required {
        let (found, required) = (found.min(required), found.max(required));
        return Err(Conflict::TenantSchemaOutdated { found, required }.into());
    }
    tenants::store::restored::swap_databases(transaction, original.id, copy.id).await?;
    let promoted = tenants::store::find(transaction, original.id).await?;
    let replaced = tenants::store::find(transaction, copy.id).await?;
    let new = NewOperation {
        tenant_id: promoted.id,
        database_name: &promoted.mongo_database,
        kind: OperationKind::Promote,
        requested_by: actor.id,
    };
    let operation_id = operations::store::insert(transaction, new, OffsetDateTime::now_utc()).await?;
    events::store::enqueue_provision(transaction, promoted.id, operation_id).await?;
    let operation_of_copy = change_access(transaction, &replaced, OperationKind::Suspend, actor).await?;
    store::measure_soon(transaction, &[promoted.id, replaced.id]).await?;
    for (before, after) in [(&original, &promoted), (&copy, &replaced)] {
        events::store::enqueue_event(transaction, &TenantEvent::Updated.of(after)).await?;
        let details = json!({
            "reason": command.reason.as_str(), "original": original.id, "copy": copy.id, "export_id": source.export_id,
            "before": { "database": before.mongo_database }, "after": { "database": after.mongo_database },
        });
        let entry = AuditEntry::done(actor, AuditAction::TenantPromote, after.id, details);
        audit::store::insert(transaction, &entry).await?;
    }
    Ok(PromotedTenant { tenant: promoted, operation_id, operation_of_copy })
}

/// Locks a copy and its original, always in the order of their ids, so that two promotions at once do not wait for each other.
async fn lock(transaction: &Transaction<'_>, copy: TenantId, original: TenantId) -> Result<(Tenant, Tenant)> {
    let first = tenants::store::find_for_update(transaction, copy.min(original)).await?;
    let second = tenants::store::find_for_update(transaction, copy.max(original)).await?;
    Ok(if first.id == copy { (first, second) } else { (second, first) })
}
