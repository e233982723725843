//! Use case: change a tenant's name, limits, `on_limit` or status.

use deadpool_postgres::Transaction;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    clients::postgres::Connection,
    error::Result,
    events,
    operations::{self, ACCESS_KINDS, OperationKind, store::NewOperation},
    precondition::IfMatch,
    revocations::{self, EndedImpersonation},
    tenants::{
        OnLimit, Suspension, SuspensionComment, SuspensionReason, Tenant, TenantEvent, TenantName, TenantStatus, store,
    },
    types::{Actor, LimitsPatch, OperationId, TenantId},
};

/// A change of a tenant. Fields that are `None` stay as they are.
#[derive(Debug)]
pub struct UpdateTenant<'a> {
    pub actor: Actor<'a>,
    pub id: TenantId,
    pub if_match: &'a IfMatch,
    pub name: Option<TenantName>,
    pub limits: LimitsPatch,
    pub on_limit: Option<OnLimit>,
    pub status: Option<TenantStatus>,
    /// Why the tenant is suspended, if `status` suspends it.
    pub reason: SuspensionReason,
    pub comment: Option<SuspensionComment>,
}

/// Result of [`update`].
#[derive(Debug)]
pub enum TenantUpdate {
    /// The command changed nothing, so nothing was written.
    Unchanged(Tenant),
    Updated {
        tenant: Tenant,
        /// Impersonations that ended because the tenant is no longer active. The caller denies their tokens.
        ended: Vec<EndedImpersonation>,
        /// The operation that changes the access of services, after a change of the status. The caller sends its message.
        operation_id: Option<OperationId>,
    },
}

/// Commits the change, its events and its audit entry in one transaction. If the tenant leaves `active`, its impersonations
/// end in the same transaction. A change of the status also inserts the operation that makes the stores follow.
pub async fn update(platform: &mut Connection, command: &UpdateTenant<'_>) -> Result<TenantUpdate> {
    let (actor, id) = (command.actor, command.id);
    let transaction = platform.transaction().await?;
    let before = store::find_for_update(&transaction, id).await?;
    command.if_match.check(before.revision, "tenant")?;
    before.status.require_kept()?;
    operations::require_none_open(operations::store::find_open(&transaction, id).await?)?;
    if let Some(wanted) = command.status {
        before.status.require_settable(wanted)?;
    }
    let status = command.status.unwrap_or(before.status);
    let name = command.name.as_ref().map_or(&*before.name, TenantName::as_str);
    let limits = command.limits.apply(before.limits);
    let on_limit = command.on_limit.unwrap_or(before.on_limit);
    if (name, limits, on_limit, status) == (&*before.name, before.limits, before.on_limit, before.status) {
        return Ok(TenantUpdate::Unchanged(before));
    }
    let suspension = match (before.status, status) {
        (old, new) if old == new => before.suspension.clone(),
        (_, TenantStatus::Suspended) => Some(Suspension::begin(command.reason, command.comment.as_ref())),
        _ => None,
    };
    let tenant = store::update(&transaction, id, name, &limits, on_limit, status, suspension.as_ref()).await?;
    for event in TenantEvent::of_change(&before, &tenant) {
        events::store::enqueue_event(&transaction, &event.of(&tenant)).await?;
    }
    let details = json!({ "before": audited(&before), "after": audited(&tenant) });
    audit::store::insert(&transaction, &AuditEntry::done(actor, AuditAction::TenantUpdate, id, details)).await?;
    let operation_id = match TenantEvent::of_status(before.status, tenant.status) {
        Some(TenantEvent::Suspended) => {
            Some(change_access(&transaction, &tenant, OperationKind::Suspend, actor).await?)
        }
        Some(_) => Some(change_access(&transaction, &tenant, OperationKind::Resume, actor).await?),
        None => None,
    };
    let ended = if before.status == TenantStatus::Active && tenant.status != TenantStatus::Active {
        revocations::end_of_tenant(&transaction, id, actor).await?
    } else {
        Vec::new()
    };
    transaction.commit().await?;
    Ok(TenantUpdate::Updated { tenant, ended, operation_id })
}

/// Inserts the operation that makes the stores follow the tenant's status, and its message. It supersedes an earlier one that has not
/// ended. The caller holds the lock on the tenant.
pub async fn change_access(
    transaction: &Transaction<'_>,
    tenant: &Tenant,
    kind: OperationKind,
    actor: Actor<'_>,
) -> Result<OperationId> {
    let reason = "The status of the tenant has changed again";
    operations::store::supersede(transaction, tenant.id, &ACCESS_KINDS, reason).await?;
    // At most one operation works on databases, and the loss of the access is urgent.
    let reason = "The tenant was suspended before its export was complete; export it again";
    operations::store::supersede(transaction, tenant.id, &[OperationKind::Export], reason).await?;
    let new =
        NewOperation { tenant_id: tenant.id, database_name: &tenant.mongo_database, kind, requested_by: actor.id };
    let id = operations::store::insert(transaction, new, OffsetDateTime::now_utc()).await?;
    events::store::enqueue_provision(transaction, tenant.id, id).await?;
    Ok(id)
}

/// The fields that a change can contain.
fn audited(tenant: &Tenant) -> Value {
    let suspension = tenant.suspension.as_ref();
    let why = suspension.map(|suspension| json!({ "reason": suspension.reason, "comment": suspension.comment }));
    json!({
        "name": tenant.name,
        "limits": tenant.limits,
        "on_limit": tenant.on_limit,
        "status": tenant.status,
        "suspension": why,
    })
}
