//! The statements of a start.

use deadpool_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::{
    error::Result,
    impersonations::ImpersonationMinutes,
    sql::{self, Columns},
    types::{Access, Actor, ImpersonationId, SuperAdminRole, TenantId, UserId},
};

/// An impersonation to be inserted.
#[derive(Debug, Clone, Copy)]
pub struct NewImpersonation<'a> {
    pub actor: Actor<'a>,
    pub admin_email: Option<&'a str>,
    pub tenant_id: TenantId,
    pub user_id: UserId,
    pub user_email: &'a str,
    pub access: Access,
    pub reason: &'a str,
    pub ticket: Option<&'a str>,
    pub minutes: ImpersonationMinutes,
}

/// The rights of a super-admin now.
#[derive(Debug, Clone, Copy)]
pub struct CurrentRights {
    pub role: SuperAdminRole,
    pub is_disabled: bool,
}

sql::columns! {
    RightsColumns -> CurrentRights {
        role: "role",
        is_disabled: "disabled_at IS NOT NULL",
    }
}

/// Serializes the starts of one super-admin until the transaction ends.
pub async fn lock_starts_of(transaction: &Transaction<'_>, admin_id: &str) -> Result<()> {
    let statement = transaction
        .prepare_cached("SELECT pg_advisory_xact_lock(hashtextextended('impersonations ' || $1, 0))")
        .await?;
    transaction.query_one(&statement, &[&admin_id]).await?;
    Ok(())
}

/// The rights of a super-admin, locked against changes until the transaction ends. `None` when no row exists for them.
pub async fn lock_rights(transaction: &Transaction<'_>, admin_id: &str) -> Result<Option<CurrentRights>> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "SELECT ",
            RightsColumns::LIST,
            " FROM super_admins WHERE id::text = $1 OR subject = $1 FOR SHARE"
        ))
        .await?;
    transaction.query_opt(&statement, &[&admin_id]).await?.map(|row| RightsColumns::read(&row)).transpose()
}

/// The last impersonations that a super-admin started within a minute, newest first and at most `limit`: the seconds until each
/// is a minute old.
pub async fn seconds_left_of_starts(transaction: &Transaction<'_>, admin_id: &str, limit: i64) -> Result<Vec<i64>> {
    let statement = transaction
        .prepare_cached(
            "SELECT ceil(extract(epoch FROM started_at + interval '1 minute' - statement_timestamp()))::bigint
             FROM impersonations
             WHERE admin_id = $1 AND started_at > statement_timestamp() - interval '1 minute'
             ORDER BY started_at DESC
             LIMIT $2",
        )
        .await?;
    let rows = transaction.query(&statement, &[&admin_id, &limit]).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Records the ends of a super-admin's impersonations of a user that expired.
pub async fn close_expired(
    transaction: &Transaction<'_>,
    admin_id: &str,
    tenant_id: TenantId,
    user_id: UserId,
) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "UPDATE impersonations
             SET ended_at = expires_at,
                 end_reason = CASE WHEN recorded_at IS NULL THEN 'not_recorded' ELSE 'expired' END,
                 ended_by = 'system', revision = revision + 1
             WHERE admin_id = $1 AND tenant_id = $2 AND user_id = $3 AND ended_at IS NULL
             AND expires_at <= statement_timestamp()",
        )
        .await?;
    transaction.execute(&statement, &[&admin_id, &tenant_id, &user_id]).await?;
    Ok(())
}

/// A super-admin's impersonation of a user that has not ended.
pub async fn find_open(
    transaction: &Transaction<'_>,
    admin_id: &str,
    tenant_id: TenantId,
    user_id: UserId,
) -> Result<Option<ImpersonationId>> {
    let statement = transaction
        .prepare_cached(
            "SELECT id FROM impersonations
             WHERE admin_id = $1 AND tenant_id = $2 AND user_id = $3 AND ended_at IS NULL",
        )
        .await?;
    let row = transaction.query_opt(&statement, &[&admin_id, &tenant_id, &user_id]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Inserts an impersonation that is not live yet.
pub async fn insert(transaction: &Transaction<'_>, new: &NewImpersonation<'_>) -> Result<ImpersonationId> {
    let statement = transaction
        .prepare_cached(
            // It expires at a full second, because the token's `exp` is one.
            "INSERT INTO impersonations
                 (id, admin_id, admin_email, tenant_id, user_id, user_email, access, reason, ticket, request_id,
                  source_address, started_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, statement_timestamp(),
                     date_trunc('second', statement_timestamp() + make_interval(mins => $12)))",
        )
        .await?;
    let id = ImpersonationId::generate();
    let values: [&(dyn ToSql + Sync); 12] = [
        &id,
        &new.actor.id,
        &new.admin_email,
        &new.tenant_id,
        &new.user_id,
        &new.user_email,
        &new.access,
        &new.reason,
        &new.ticket,
        &new.actor.request_id,
        &new.actor.source_address,
        &new.minutes.get(),
    ];
    transaction.execute(&statement, &values).await?;
    Ok(id)
}
