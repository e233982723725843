//! Ending impersonations. Each use case writes, in the caller's transaction: the end in the impersonation's row, its audit
//! entry, the event `impersonation.ended`, and the denial of its token as a pending message of the outbox.

use deadpool_postgres::Transaction;
use serde_json::json;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    error::Result,
    events::{self, Event, EventType},
    revocations::{
        EndReason, EndedImpersonation,
        store::{self, End},
    },
    types::{Actor, ImpersonationId, SuperAdminId, TenantId, UserId},
};

/// Ends one impersonation on request. `None` when it has ended or expired already. The caller holds the lock on its tenant.
pub async fn end_one(
    transaction: &Transaction<'_>,
    id: ImpersonationId,
    actor: Actor<'_>,
) -> Result<Option<EndedImpersonation>> {
    let ended = store::end_one(transaction, id, End { by: actor.id, reason: EndReason::Ended }).await?;
    record(transaction, actor, ended.as_slice()).await?;
    Ok(ended)
}

/// Ends the impersonations of a user who was deactivated.
///
/// An impersonation can start as long as the user is active in the tenant's own database. So this reaches all of them only
/// if it commits after the deactivation.
pub async fn end_of_user(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    user_id: UserId,
    actor: Actor<'_>,
) -> Result<Vec<EndedImpersonation>> {
    store::lock_tenants(transaction, &[tenant_id.0]).await?;
    let end = End { by: actor.id, reason: EndReason::UserDeactivated };
    let ended = store::end_of_user(transaction, tenant_id, user_id, end).await?;
    record(transaction, actor, &ended).await?;
    Ok(ended)
}

/// Ends the impersonations in a tenant that is no longer `active`, in the transaction that changes its status.
pub async fn end_of_tenant(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    actor: Actor<'_>,
) -> Result<Vec<EndedImpersonation>> {
    store::lock_tenants(transaction, &[tenant_id.0]).await?;
    let end = End { by: actor.id, reason: EndReason::TenantNotActive };
    let ended = store::end_of_tenant(transaction, tenant_id, end).await?;
    record(transaction, actor, &ended).await?;
    Ok(ended)
}

/// Ends the impersonations by a super-admin who was disabled ([`EndReason::OperatorDisabled`]), lost rights
/// ([`EndReason::OperatorRoleChanged`]) or was recovered ([`EndReason::OperatorRecovered`]), whether they signed in here or at the identity provider.
///
/// Runs in the transaction that changes the super-admin. It locks their row, and must come before any lock on a tenant.
pub async fn end_of_super_admin(
    transaction: &Transaction<'_>,
    super_admin: SuperAdminId,
    reason: EndReason,
    actor: Actor<'_>,
) -> Result<Vec<EndedImpersonation>> {
    let Some(admin_ids) = store::lock_super_admin(transaction, super_admin).await? else { return Ok(Vec::new()) };
    let tenants = store::list_tenants_of(transaction, &admin_ids).await?;
    store::lock_tenants(transaction, &tenants).await?;
    let ended = store::end_of_super_admin(transaction, &admin_ids, End { by: actor.id, reason }).await?;
    record(transaction, actor, &ended).await?;
    Ok(ended)
}

/// Writes the audit entry of each end, and the messages to the services that may have seen its token.
async fn record(transaction: &Transaction<'_>, actor: Actor<'_>, ended: &[EndedImpersonation]) -> Result<()> {
    for one in ended {
        let details = json!({
            "impersonation_id": one.id, "user_id": one.user_id, "admin_id": one.admin_id, "end_reason": one.end_reason,
        });
        let entry = AuditEntry::done(actor, AuditAction::ImpersonationEnd, one.tenant_id, details);
        audit::store::insert(transaction, &entry).await?;
        if one.had_begun {
            events::store::enqueue_event(transaction, &Event::new(EventType::ImpersonationEnded, one.tenant_id, one))
                .await?;
            events::store::enqueue_denial(transaction, one.id, one.expires_at).await?;
        }
    }
    Ok(())
}
