//! Impersonations in the platform database. All times are the database's, so a function with a wrong clock does no harm.
//!
//! Locks are taken in this order: the super-admin, tenants by their ids, impersonations. A transaction that changes an
//! impersonation holds the lock on its tenant, so that the events of both are ordered.

pub mod start;
pub mod tenant_record;

use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

use crate::{
    error::{Error, Result},
    impersonations::{Access, Impersonation},
    revocations::EndReason,
    sql::Conditions,
    super_admins::{
        self,
        store::{SuperAdminKey, WithSuperAdminState},
    },
    types::{Cursor, ImpersonationId, PageLimit, TenantId, UserId},
};

/// The fields of an impersonation. An end that no row records yet (by expiry, by the tenant's status, by the super-admin's)
/// is derived here.
macro_rules! columns {
    () => {
        "i.id, i.tenant_id, i.user_id, i.user_email, i.admin_id, i.admin_email, i.access, i.reason, i.ticket, \
         i.started_at, i.expires_at, i.recorded_at, \
         coalesce(i.ended_at, CASE WHEN i.expires_at <= now() THEN i.expires_at END), \
         coalesce(i.ended_by, CASE WHEN i.expires_at <= now() THEN 'system' END), i.end_reason, \
         CASE WHEN i.expires_at > now() THEN \
             CASE WHEN t.status <> 'active' THEN 'tenant_not_active' \
                  WHEN i.admin_id IN (SELECT id::text FROM super_admins WHERE disabled_at IS NOT NULL \
                                      UNION ALL \
                                      SELECT subject FROM super_admins \
                                      WHERE disabled_at IS NOT NULL AND subject IS NOT NULL) \
                  THEN 'operator_disabled' END \
             WHEN i.recorded_at IS NULL THEN 'not_recorded' \
             ELSE 'expired' END, \
         i.revision"
    };
}

/// Conditions on a list; all must hold.
#[derive(Debug, Clone, Default)]
pub struct ImpersonationFilter {
    pub tenant_id: Option<TenantId>,
    /// The super-admin.
    pub admin_id: Option<String>,
    /// The impersonated user.
    pub user_id: Option<UserId>,
    pub live: Option<bool>,
}

/// The condition for a live impersonation, written so that the partial index serves it.
const LIVE: &str = "i.ended_at IS NULL AND i.recorded_at IS NOT NULL AND i.expires_at > now() AND t.status = 'active'
                    AND NOT EXISTS (SELECT FROM super_admins
                                    WHERE disabled_at IS NOT NULL AND (id::text = i.admin_id OR subject = i.admin_id))";

const BY_ID: &str =
    concat!("SELECT ", columns!(), " FROM impersonations i JOIN tenants t ON t.id = i.tenant_id WHERE i.id = $1");

/// An impersonation, together with the state of the super-admin who requests it.
pub async fn find_with_super_admin_state(
    client: &impl GenericClient,
    by: SuperAdminKey<'_>,
    id: ImpersonationId,
) -> Result<WithSuperAdminState<Impersonation>> {
    super_admins::store::find_with_super_admin_state(client, by, BY_ID, id.0, NOT_FOUND, read).await
}

pub async fn find(client: &impl GenericClient, id: ImpersonationId) -> Result<Impersonation> {
    let statement = client.prepare_cached(BY_ID).await?;
    client.query_opt(&statement, &[&id.0]).await?.map_or(Err(NOT_FOUND), |row| read(&row))
}

/// Locks the tenant of an impersonation.
pub async fn lock_tenant_of(transaction: &Transaction<'_>, id: ImpersonationId) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "SELECT FROM tenants WHERE id = (SELECT tenant_id FROM impersonations WHERE id = $1) FOR UPDATE",
        )
        .await?;
    transaction.query_opt(&statement, &[&id.0]).await?.map(drop).ok_or(NOT_FOUND)
}

/// A page of impersonations after `cursor`, ordered by start, newest first; one row more than `limit` when another page
/// follows.
pub async fn list(
    client: &impl GenericClient,
    filter: &ImpersonationFilter,
    cursor: Option<Cursor>,
    limit: PageLimit,
) -> Result<Vec<Impersonation>> {
    let limit = i64::try_from(limit.get() + 1).map_err(Error::internal)?;
    let (tenant_id, user_id) = (filter.tenant_id.map(|id| id.0), filter.user_id.map(|id| id.0));
    let mut conditions = Conditions::after(vec![&limit]);
    if let Some(tenant_id) = &tenant_id {
        let number = conditions.number(tenant_id);
        conditions.add(format!("i.tenant_id = ${number}"));
    }
    if let Some(admin_id) = &filter.admin_id {
        let number = conditions.number(admin_id);
        conditions.add(format!("i.admin_id = ${number}"));
    }
    if let Some(user_id) = &user_id {
        let number = conditions.number(user_id);
        conditions.add(format!("i.user_id = ${number}"));
    }
    match filter.live {
        Some(true) => conditions.add(LIVE.to_owned()),
        Some(false) => conditions.add(format!("NOT ({LIVE})")),
        None => {}
    }
    if let Some(cursor) = &cursor {
        let (started_at, id) = (conditions.number(&cursor.created_at), conditions.number(&cursor.id));
        conditions.add(format!("(i.started_at, i.id) < (${started_at}, ${id})"));
    }
    let statement = client
        .prepare_cached(&format!(
            concat!(
                "SELECT ",
                columns!(),
                " FROM impersonations i JOIN tenants t ON t.id = i.tenant_id {}
                  ORDER BY i.started_at DESC, i.id DESC LIMIT $1"
            ),
            conditions.clause()
        ))
        .await?;
    conditions.query(client, &statement, read).await
}

const NOT_FOUND: Error = Error::NotFound { what: "impersonation" };

fn read(row: &Row) -> Result<Impersonation> {
    let recorded: Option<EndReason> = row.try_get::<_, Option<&str>>(14)?.map(read_end_reason).transpose()?;
    let derived: Option<EndReason> = row.try_get::<_, Option<&str>>(15)?.map(read_end_reason).transpose()?;
    let recorded_at: Option<time::OffsetDateTime> = row.try_get(11)?;
    let end_reason = recorded.or(derived);
    let revision: i64 = row.try_get(16)?;
    Ok(Impersonation {
        id: ImpersonationId(row.try_get(0)?),
        live: recorded_at.is_some() && end_reason.is_none(),
        tenant_id: TenantId(row.try_get(1)?),
        user_id: UserId(row.try_get(2)?),
        user_email: row.try_get(3)?,
        admin_id: row.try_get(4)?,
        admin_email: row.try_get(5)?,
        access: read_access(row.try_get(6)?)?,
        reason: row.try_get(7)?,
        ticket: row.try_get(8)?,
        started_at: row.try_get(9)?,
        expires_at: row.try_get(10)?,
        recorded_at,
        ended_at: row.try_get(12)?,
        ended_by: row.try_get(13)?,
        end_reason,
        // An end that is only derived changes the fields as well, so it has a revision of its own.
        revision: revision * 2 + i64::from(recorded.is_none() && derived.is_some()),
    })
}

fn read_access(text: &str) -> Result<Access> {
    Access::from_text(text).ok_or_else(|| Error::internal(format!("unknown access `{text}` of an impersonation")))
}

fn read_end_reason(text: &str) -> Result<EndReason> {
    EndReason::from_text(text)
        .ok_or_else(|| Error::internal(format!("unknown end reason `{text}` of an impersonation")))
}
