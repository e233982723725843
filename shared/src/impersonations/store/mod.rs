//! Impersonations in the platform database. All times are the database's, so a function with a wrong clock does no harm.
//!
//! Locks are taken in this order: the super-admin, tenants by their ids, impersonations. A transaction that changes an
//! impersonation holds the lock on its tenant, so that the events of both are ordered.

pub mod start;
pub mod tenant_record;

use deadpool_postgres::{GenericClient, Transaction};
use time::OffsetDateTime;
use tokio_postgres::Row;

use crate::{
    error::{Error, Result},
    impersonations::{Impersonation, ImpersonationFilter},
    revocations::{EndReason, store::LIVE},
    sql::{self, Columns, Conditions},
    super_admins::{
        self,
        store::{SuperAdminKey, WithSuperAdminState},
    },
    types::{Access, ImpersonationId, PageRequest, TenantId, UserId},
};

/// A row of an impersonation, from which an [`Impersonation`] is derived.
struct ImpersonationRow {
    id: ImpersonationId,
    tenant_id: TenantId,
    user_id: UserId,
    user_email: String,
    admin_id: String,
    admin_email: Option<String>,
    access: Access,
    reason: String,
    ticket: Option<String>,
    started_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    recorded_at: Option<OffsetDateTime>,
    ended_at: Option<OffsetDateTime>,
    ended_by: Option<String>,
    recorded_reason: Option<EndReason>,
    derived_reason: Option<EndReason>,
    revision: i64,
}

// An end that no row records yet (by expiry, by the tenant's status, by the super-admin's) is derived here.
sql::columns! {
    /// The columns of an impersonation `i` and its tenant `t`.
    ImpersonationColumns -> ImpersonationRow {
        id: "i.id",
        tenant_id: "i.tenant_id",
        user_id: "i.user_id",
        user_email: "i.user_email",
        admin_id: "i.admin_id",
        admin_email: "i.admin_email",
        access: "i.access",
        reason: "i.reason",
        ticket: "i.ticket",
        started_at: "i.started_at",
        expires_at: "i.expires_at",
        recorded_at: "i.recorded_at",
        ended_at: "coalesce(i.ended_at, CASE WHEN i.expires_at <= now() THEN i.expires_at END)",
        ended_by: "coalesce(i.ended_by, CASE WHEN i.expires_at <= now() THEN 'system' END)",
        recorded_reason: "i.end_reason",
        derived_reason: "CASE WHEN i.expires_at > now() THEN \
             CASE WHEN t.status <> 'active' THEN 'tenant_not_active' \
                  WHEN i.admin_id IN (SELECT id::text FROM super_admins WHERE disabled_at IS NOT NULL \
                                      UNION ALL \
                                      SELECT subject FROM super_admins \
                                      WHERE disabled_at IS NOT NULL AND subject IS NOT NULL) \
                  THEN 'operator_disabled' END \
             WHEN i.recorded_at IS NULL THEN 'not_recorded' \
             ELSE 'expired' END",
        revision: "i.revision",
    }
}

const BY_ID: &str = sql::text!(
    "SELECT ",
    ImpersonationColumns::LIST,
    " FROM impersonations i JOIN tenants t ON t.id = i.tenant_id WHERE i.id = $1"
);

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
    client.query_opt(&statement, &[&id]).await?.map_or(Err(NOT_FOUND), |row| read(&row))
}

/// Locks the tenant of an impersonation.
pub async fn lock_tenant_of(transaction: &Transaction<'_>, id: ImpersonationId) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "SELECT FROM tenants WHERE id = (SELECT tenant_id FROM impersonations WHERE id = $1) FOR UPDATE",
        )
        .await?;
    transaction.query_opt(&statement, &[&id]).await?.map(drop).ok_or(NOT_FOUND)
}

/// A page of impersonations, ordered by start; one row more than the limit when another page follows.
pub async fn list(
    client: &impl GenericClient,
    filter: &ImpersonationFilter,
    page: PageRequest,
) -> Result<Vec<Impersonation>> {
    let limit = i64::try_from(page.limit.get() + 1).map_err(Error::internal)?;
    let mut conditions = Conditions::after(vec![&limit]);
    if let Some(tenant_id) = &filter.tenant_id {
        let number = conditions.number(tenant_id);
        conditions.add(format!("i.tenant_id = ${number}"));
    }
    if let Some(admin_id) = &filter.admin_id {
        let number = conditions.number(admin_id);
        conditions.add(format!("i.admin_id = ${number}"));
    }
    if let Some(user_id) = &filter.user_id {
        let number = conditions.number(user_id);
        conditions.add(format!("i.user_id = ${number}"));
    }
    match filter.live {
        Some(true) => conditions.add(LIVE.to_owned()),
        Some(false) => conditions.add(format!("NOT ({LIVE})")),
        None => {}
    }
    let order = conditions.page("i.started_at", "i.id", &page);
    let statement = client
        .prepare_cached(&format!(
            "SELECT {} FROM impersonations i JOIN tenants t ON t.id = i.tenant_id {}
             ORDER BY {order} LIMIT $1",
            ImpersonationColumns::LIST,
            conditions.clause()
        ))
        .await?;
    conditions.query(client, &statement, read).await
}

const NOT_FOUND: Error = Error::NotFound { what: "impersonation" };

fn read(row: &Row) -> Result<Impersonation> {
    Ok(ImpersonationColumns::read(row)?.into())
}

impl From<ImpersonationRow> for Impersonation {
    fn from(row: ImpersonationRow) -> Self {
        let end_reason = row.recorded_reason.or(row.derived_reason);
        // An end that is only derived changes the fields as well, so it has a revision of its own.
        let has_derived_end = row.recorded_reason.is_none() && row.derived_reason.is_some();
        Self {
            id: row.id,
            live: row.recorded_at.is_some() && end_reason.is_none(),
            tenant_id: row.tenant_id,
            user_id: row.user_id,
            user_email: row.user_email,
            admin_id: row.admin_id,
            admin_email: row.admin_email,
            access: row.access,
            reason: row.reason,
            ticket: row.ticket,
            started_at: row.started_at,
            expires_at: row.expires_at,
            recorded_at: row.recorded_at,
            ended_at: row.ended_at,
            ended_by: row.ended_by,
            end_reason,
            revision: row.revision * 2 + i64::from(has_derived_end),
        }
    }
}
