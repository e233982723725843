//! Ends of impersonations. Each commits together what it means: the row, the event `impersonation.ended`, the audit entry,
//! and a row of the outbox that owes the deny list a denial. After the commit the caller gives what ended to
//! `DenyList::deny` and pokes the relay.

use std::slice;

use deadpool_postgres::Transaction;
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::impersonations::store::{NOT_FOUND, find};
use crate::{
    audit::{self, AuditEntry},
    error::Result,
    events::{self, Event},
    impersonations::Impersonation,
    revocations::{EndReason, EndedImpersonation},
    types::{Actor, ImpersonationId, SuperAdminId, TenantId, UserId},
};

/// What all ends have in common. What has expired is left as it is.
macro_rules! update {
    () => {
        "UPDATE impersonations
         SET ended_at = greatest(clock_timestamp(), started_at), ended_by = $1, end_reason = $2, revision = revision + 1
         WHERE ended_at IS NULL AND expires_at > now() AND "
    };
}
macro_rules! returning {
    () => {
        " RETURNING id, tenant_id, user_id, admin_id, expires_at, ended_at, recorded_at IS NOT NULL"
    };
}

/// The impersonation of an id, with the lock on its tenant.
pub async fn find_for_update(transaction: &Transaction<'_>, id: ImpersonationId) -> Result<Impersonation> {
    let statement = transaction.prepare_cached("SELECT tenant_id FROM impersonations WHERE id = $1").await?;
    let row = transaction.query_opt(&statement, &[&id.0]).await?.ok_or(NOT_FOUND)?;
    lock_tenants(transaction, &[row.try_get(0)?]).await?;
    find(transaction, id).await
}

/// Ends one, unless it has ended or expired: then `None`. The caller has found it for update.
pub async fn end(
    transaction: &Transaction<'_>,
    id: ImpersonationId,
    actor: Actor<'_>,
) -> Result<Option<EndedImpersonation>> {
    let statement = transaction.prepare_cached(concat!(update!(), "id = $3", returning!())).await?;
    let reason = EndReason::Ended;
    let row = transaction.query_opt(&statement, &[&actor.id, &reason.as_str(), &id.0]).await?;
    let Some(ended) = row.map(|row| read(&row, reason)).transpose()? else { return Ok(None) };
    tell(transaction, actor, slice::from_ref(&ended)).await?;
    Ok(Some(ended))
}

/// Ends those in the name of an agent who is deactivated. One may be started as long as the agent is active in the tenant's
/// own database, so this has its full effect when it is committed after the agent's deactivation.
pub async fn end_of_user(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    user_id: UserId,
    actor: Actor<'_>,
) -> Result<Vec<EndedImpersonation>> {
    lock_tenants(transaction, &[tenant_id.0]).await?;
    let statement =
        transaction.prepare_cached(concat!(update!(), "tenant_id = $3 AND user_id = $4", returning!())).await?;
    let reason = EndReason::UserDeactivated;
    let rows = transaction.query(&statement, &[&actor.id, &reason.as_str(), &tenant_id.0, &user_id.0]).await?;
    told(transaction, actor, reason, &rows).await
}

/// Ends those of a tenant that leaves `active`, in the transaction that changes its status.
pub async fn end_of_tenant(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    actor: Actor<'_>,
) -> Result<Vec<EndedImpersonation>> {
    lock_tenants(transaction, &[tenant_id.0]).await?;
    let statement = transaction.prepare_cached(concat!(update!(), "tenant_id = $3", returning!())).await?;
    let reason = EndReason::TenantNotActive;
    let rows = transaction.query(&statement, &[&actor.id, &reason.as_str(), &tenant_id.0]).await?;
    told(transaction, actor, reason, &rows).await
}

/// Ends those of an operator who is disabled ([`EndReason::OperatorDisabled`]) or may do less than before
/// ([`EndReason::OperatorRoleChanged`]), whichever way they signed in; in the transaction that changes their row, which it
/// locks, and before the transaction locks any tenant.
pub async fn end_of_super_admin(
    transaction: &Transaction<'_>,
    operator: SuperAdminId,
    reason: EndReason,
    actor: Actor<'_>,
) -> Result<Vec<EndedImpersonation>> {
    let statement = transaction.prepare_cached("SELECT subject FROM super_admins WHERE id = $1 FOR UPDATE").await?;
    let Some(row) = transaction.query_opt(&statement, &[&operator.0]).await? else { return Ok(Vec::new()) };
    let mut names = vec![operator.to_string()];
    names.extend(row.try_get::<_, Option<String>>(0)?);
    let statement = transaction
        .prepare_cached("SELECT DISTINCT tenant_id FROM impersonations WHERE admin_id = ANY($1) AND ended_at IS NULL")
        .await?;
    let tenants = transaction.query(&statement, &[&names]).await?;
    let tenants = tenants.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<Vec<Uuid>>>()?;
    lock_tenants(transaction, &tenants).await?;
    let statement = transaction.prepare_cached(concat!(update!(), "admin_id = ANY($3)", returning!())).await?;
    let rows = transaction.query(&statement, &[&actor.id, &reason.as_str(), &names]).await?;
    told(transaction, actor, reason, &rows).await
}

/// Locks tenants, as whoever inserts events of theirs does.
async fn lock_tenants(transaction: &Transaction<'_>, ids: &[Uuid]) -> Result<()> {
    let statement = transaction.prepare_cached("SELECT FROM tenants WHERE id = ANY($1) ORDER BY id FOR UPDATE").await?;
    transaction.query(&statement, &[&ids]).await?;
    Ok(())
}

async fn told(
    transaction: &Transaction<'_>,
    actor: Actor<'_>,
    reason: EndReason,
    rows: &[Row],
) -> Result<Vec<EndedImpersonation>> {
    let ended = rows.iter().map(|row| read(row, reason)).collect::<Result<Vec<_>>>()?;
    tell(transaction, actor, &ended).await?;
    Ok(ended)
}

/// Writes the audit entry of each, and what is owed to those who may have seen its token.
async fn tell(transaction: &Transaction<'_>, actor: Actor<'_>, ended: &[EndedImpersonation]) -> Result<()> {
    for one in ended {
        let details = json!({
            "impersonation_id": one.id, "user_id": one.user_id, "admin_id": one.admin_id, "end_reason": one.end_reason,
        });
        let entry = AuditEntry::done(actor, "impersonation.end", one.tenant_id, details);
        audit::store::insert(transaction, &entry).await?;
        if one.had_begun {
            events::store::enqueue_event(transaction, &Event::new("impersonation.ended", one.tenant_id, one)).await?;
            events::store::enqueue_denial(transaction, one.id, one.expires_at).await?;
        }
    }
    Ok(())
}

fn read(row: &Row, reason: EndReason) -> Result<EndedImpersonation> {
    Ok(EndedImpersonation {
        id: ImpersonationId(row.try_get(0)?),
        tenant_id: TenantId(row.try_get(1)?),
        user_id: UserId(row.try_get(2)?),
        admin_id: row.try_get(3)?,
        expires_at: row.try_get(4)?,
        ended_at: row.try_get(5)?,
        end_reason: reason,
        had_begun: row.try_get(6)?,
    })
}
