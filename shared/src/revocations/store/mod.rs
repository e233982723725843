//! Ends of impersonations in the platform database. The tenant's own record: [`tenant_record`], [`unrecorded`].

#[cfg(feature = "redis")]
pub mod live;
pub mod tenant_record;
pub mod unrecorded;

use deadpool_postgres::Transaction;
use uuid::Uuid;

use crate::{
    error::Result,
    revocations::{EndReason, EndedImpersonation},
    sql::{self, Columns},
    types::{ImpersonationId, SuperAdminId, TenantId, UserId},
};

/// The condition for a live impersonation `i` in the tenant `t`, written so that the partial index serves it.
pub(crate) const LIVE: &str = "i.ended_at IS NULL AND i.recorded_at IS NOT NULL AND i.expires_at > now()
                    AND t.status = 'active'
                    AND NOT EXISTS (SELECT FROM super_admins
                                    WHERE disabled_at IS NOT NULL AND (id::text = i.admin_id OR subject = i.admin_id))";

/// The actor and the reason of an end.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// The id of the actor.
    pub by: &'a str,
    pub reason: EndReason,
}

sql::columns! {
    EndedColumns -> EndedImpersonation {
        id: "id",
        tenant_id: "tenant_id",
        user_id: "user_id",
        admin_id: "admin_id",
        expires_at: "expires_at",
        ended_at: "ended_at",
        end_reason: "end_reason",
        had_begun: "recorded_at IS NOT NULL",
    }
}

/// The common part of all ends. An expired impersonation keeps its row as it is: it ended when it expired.
macro_rules! update {
    ($condition:literal) => {
        sql::text!(
            "UPDATE impersonations
             SET ended_at = greatest(clock_timestamp(), started_at), ended_by = $1, end_reason = $2,
                 revision = revision + 1
             WHERE ended_at IS NULL AND expires_at > now() AND ",
            $condition,
            " RETURNING ",
            EndedColumns::LIST
        )
    };
}

/// Ends one impersonation, unless it has ended or expired.
pub async fn end_one(
    transaction: &Transaction<'_>,
    id: ImpersonationId,
    end: End<'_>,
) -> Result<Option<EndedImpersonation>> {
    let statement = transaction.prepare_cached(update!("id = $3")).await?;
    let row = transaction.query_opt(&statement, &[&end.by, &end.reason, &id]).await?;
    row.map(|row| EndedColumns::read(&row)).transpose()
}

/// Ends the impersonations of a user.
pub async fn end_of_user(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    user_id: UserId,
    end: End<'_>,
) -> Result<Vec<EndedImpersonation>> {
    let statement = transaction.prepare_cached(update!("tenant_id = $3 AND user_id = $4")).await?;
    let rows = transaction.query(&statement, &[&end.by, &end.reason, &tenant_id, &user_id]).await?;
    rows.iter().map(EndedColumns::read).collect()
}

/// Ends the impersonations in a tenant.
pub async fn end_of_tenant(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    end: End<'_>,
) -> Result<Vec<EndedImpersonation>> {
    let statement = transaction.prepare_cached(update!("tenant_id = $3")).await?;
    let rows = transaction.query(&statement, &[&end.by, &end.reason, &tenant_id]).await?;
    rows.iter().map(EndedColumns::read).collect()
}

/// Ends the impersonations by a super-admin, by all ids that they are known by.
pub async fn end_of_super_admin(
    transaction: &Transaction<'_>,
    admin_ids: &[String],
    end: End<'_>,
) -> Result<Vec<EndedImpersonation>> {
    let statement = transaction.prepare_cached(update!("admin_id = ANY($3)")).await?;
    let rows = transaction.query(&statement, &[&end.by, &end.reason, &admin_ids]).await?;
    rows.iter().map(EndedColumns::read).collect()
}

/// Locks a super-admin's row. Returns the ids under which impersonations may name them: their own, and their subject at the
/// identity provider. `None` when no such super-admin exists.
pub async fn lock_super_admin(transaction: &Transaction<'_>, id: SuperAdminId) -> Result<Option<Vec<String>>> {
    let statement = transaction.prepare_cached("SELECT subject FROM super_admins WHERE id = $1 FOR UPDATE").await?;
    let Some(row) = transaction.query_opt(&statement, &[&id]).await? else { return Ok(None) };
    let mut ids = vec![id.to_string()];
    ids.extend(row.try_get::<_, Option<String>>(0)?);
    Ok(Some(ids))
}

/// The tenants in which a super-admin has impersonations that have not ended.
pub async fn list_tenants_of(transaction: &Transaction<'_>, admin_ids: &[String]) -> Result<Vec<Uuid>> {
    let statement = transaction
        .prepare_cached("SELECT DISTINCT tenant_id FROM impersonations WHERE admin_id = ANY($1) AND ended_at IS NULL")
        .await?;
    let rows = transaction.query(&statement, &[&admin_ids]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Locks tenants in the order of their ids, as every transaction that inserts their events does.
pub async fn lock_tenants(transaction: &Transaction<'_>, ids: &[Uuid]) -> Result<()> {
    let statement = transaction.prepare_cached("SELECT FROM tenants WHERE id = ANY($1) ORDER BY id FOR UPDATE").await?;
    transaction.query(&statement, &[&ids]).await?;
    Ok(())
}
