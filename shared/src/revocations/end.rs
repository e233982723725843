//! Ending impersonations. Each use case writes, in the caller's transaction: the end in the impersonation's row, its audit
//! entry, the event `impersonation.ended`, the denial of its token as a pending message of the outbox, and the open change that
//! makes the relay record the end in the tenant's own database.

use std::{slice, time::Duration};

use deadpool_postgres::Transaction;
use serde_json::json;

use crate::{
    audit::{self, AuditAction, AuditEntry},
    error::Result,
    events::{self, Event, EventType},
    revocations::{
        EndReason, EndedImpersonation, ImpersonationEnd,
        store::{self, End},
    },
    types::{Actor, ImpersonationId, SuperAdminId, TenantId, UserId},
};

/// How long a request has for recording the end that it was asked for in the tenant's database.
const HEAD_START: Duration = Duration::from_secs(10);

/// Ends one impersonation on request. `None` when it has ended or expired already. The caller holds the lock on its tenant, and
/// records the second part in the tenant's database after the commit; there is none if the impersonation had not begun, because
/// then the settlement of its start records the end.
pub async fn end_one(
    transaction: &Transaction<'_>,
    id: ImpersonationId,
    actor: Actor<'_>,
) -> Result<Option<(EndedImpersonation, Option<ImpersonationEnd>)>> {
    let end = End { by: actor.id, reason: EndReason::Ended };
    let Some(ended) = store::end_one(transaction, id, end).await? else { return Ok(None) };
    let to_record = record(transaction, actor, slice::from_ref(&ended), Some(HEAD_START)).await?.pop();
    Ok(Some((ended, to_record)))
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
    // The transaction that deactivated the user has recorded them in the tenant's database.
    record(transaction, actor, &ended, None).await?;
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
    record(transaction, actor, &ended, Some(Duration::ZERO)).await?;
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
    record(transaction, actor, &ended, Some(Duration::ZERO)).await?;
    Ok(ended)
}

/// Inserts the open change of an impersonation that was ended before it began, although the tenant's database has its record.
pub(crate) async fn record_before_begin(
    transaction: &Transaction<'_>,
    id: ImpersonationId,
) -> Result<Option<ImpersonationEnd>> {
    Ok(store::unrecorded::insert(transaction, &[id], HEAD_START).await?.pop())
}

/// Writes the audit entry of each end, the messages to the services that may have seen its token, and the open change in the
/// tenant's database, which is due after `head_start`; none if it shows the ends already.
async fn record(
    transaction: &Transaction<'_>,
    actor: Actor<'_>,
    ended: &[EndedImpersonation],
    head_start: Option<Duration>,
) -> Result<Vec<ImpersonationEnd>> {
    let mut begun = Vec::new();
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
            begun.push(one.id);
        }
    }
    match head_start {
        Some(head_start) if !begun.is_empty() => store::unrecorded::insert(transaction, &begun, head_start).await,
        _ => Ok(Vec::new()),
    }
}
