//! Use case: change a tenant's name, limits, `on_limit` or status.

use serde_json::{Value, json};

use crate::{
    audit::{self, AuditAction, AuditEntry},
    clients::postgres::Connection,
    error::Result,
    events, operations,
    precondition::IfMatch,
    revocations::{self, EndedImpersonation},
    tenants::{OnLimit, Tenant, TenantEvent, TenantName, TenantStatus, store},
    types::{Actor, LimitsPatch, TenantId},
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
    },
}

/// Commits the change, its events and its audit entry in one transaction. If the tenant leaves `active`, its impersonations
/// end in the same transaction.
pub async fn update(platform: &mut Connection, command: &UpdateTenant<'_>) -> Result<TenantUpdate> {
    let (actor, id) = (command.actor, command.id);
    let transaction = platform.transaction().await?;
    let before = store::find_for_update(&transaction, id).await?;
    command.if_match.check(before.revision, "tenant")?;
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
    let tenant = store::update(&transaction, id, name, &limits, on_limit, status).await?;
    for event in TenantEvent::of_change(&before, &tenant) {
        events::store::enqueue_event(&transaction, &event.of(&tenant)).await?;
    }
    let details = json!({ "before": audited(&before), "after": audited(&tenant) });
    audit::store::insert(&transaction, &AuditEntry::done(actor, AuditAction::TenantUpdate, id, details)).await?;
    let ended = if before.status == TenantStatus::Active && tenant.status != TenantStatus::Active {
        revocations::end_of_tenant(&transaction, id, actor).await?
    } else {
        Vec::new()
    };
    transaction.commit().await?;
    Ok(TenantUpdate::Updated { tenant, ended })
}

/// The fields that a change can contain.
fn audited(tenant: &Tenant) -> Value {
    json!({ "name": tenant.name, "limits": tenant.limits, "on_limit": tenant.on_limit, "status": tenant.status })
}
