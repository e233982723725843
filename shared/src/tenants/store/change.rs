//! Writes to the table `tenants`, except [placement](super::placement).

use deadpool_postgres::{GenericClient, Transaction};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::{
    error::{Conflict, Error, Result},
    sql::{self, Columns},
    tenants::{OnLimit, RestoredFrom, Suspension, Tenant, TenantName, TenantStatus, store::TenantColumns},
    types::{Country, Limits, Microservice, Slug, TenantId, UserId},
};

/// A tenant to insert, in status `provisioning`.
#[derive(Debug, Clone)]
pub struct NewTenant<'a> {
    pub id: TenantId,
    pub name: &'a TenantName,
    pub slug: &'a Slug,
    pub limits: Limits,
    pub on_limit: OnLimit,
    pub country: Country,
    pub database_name: &'a str,
    /// Of a restored copy.
    pub restored_from: Option<RestoredFrom>,
}

/// Inserts a tenant. If several requests insert the same slug at once, a unique index lets one of them succeed. The others
/// fail with [`Conflict::SlugTaken`], and PostgreSQL aborts their transactions.
pub async fn insert(transaction: &Transaction<'_>, tenant: &NewTenant<'_>, now: OffsetDateTime) -> Result<Tenant> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "INSERT INTO tenants (id, name, slug, status, database_name, country, max_agents, max_contacts, \
             max_messages_month, on_limit, restored_from, created_at, updated_at)
             VALUES ($1, $2, $3, 'provisioning', $4, $5::text, $6, $7, $8, $10, $11, $9, $9)
             RETURNING ",
            TenantColumns::LIST
        ))
        .await?;
    let restored_from = tenant.restored_from.map(serde_json::to_value).transpose().map_err(Error::internal)?;
    let inserted = transaction
        .query_one(
            &statement,
            &[
                &tenant.id,
                &tenant.name,
                &tenant.slug,
                &tenant.database_name,
                &tenant.country,
                &tenant.limits.max_agents,
                &tenant.limits.max_contacts,
                &tenant.limits.max_messages_month,
                &now,
                &tenant.on_limit,
                &restored_from,
            ],
        )
        .await;
    match inserted {
        Ok(row) => TenantColumns::read(&row),
        Err(error) if is_taken_slug(&error) => Err(Conflict::SlugTaken { slug: tenant.slug.to_string() }.into()),
        Err(error) => Err(error.into()),
    }
}

/// Sets the fields that a super-admin may change, and increments the revision.
pub async fn update(
    transaction: &Transaction<'_>,
    id: TenantId,
    name: &str,
    limits: &Limits,
    on_limit: OnLimit,
    status: TenantStatus,
    suspension: Option<&Suspension>,
) -> Result<Tenant> {
    let suspension = suspension.map(serde_json::to_value).transpose().map_err(Error::internal)?;
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE tenants
             SET name = $2, max_agents = $3, max_contacts = $4, max_messages_month = $5, on_limit = $8, status = $6,
                 suspension = $7,
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            TenantColumns::LIST
        ))
        .await?;
    let row = transaction
        .query_one(
            &statement,
            &[
                &id,
                &name,
                &limits.max_agents,
                &limits.max_contacts,
                &limits.max_messages_month,
                &status,
                &suspension,
                &on_limit,
            ],
        )
        .await?;
    TenantColumns::read(&row)
}

/// Records that a service has confirmed a suspension. Returns 1 if that is new and the suspension is the present one, and 0 otherwise.
pub async fn acknowledge(
    client: &impl GenericClient,
    id: TenantId,
    suspension_id: Uuid,
    service: Microservice,
) -> Result<u64> {
    let statement = client
        .prepare_cached(
            "UPDATE tenants
             SET suspension = jsonb_set(suspension, '{acknowledged_by}', (suspension -> 'acknowledged_by') || to_jsonb($3::text)),
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1 AND suspension ->> 'id' = $2::text AND NOT (suspension -> 'acknowledged_by') ? $3::text",
        )
        .await?;
    Ok(client.execute(&statement, &[&id, &suspension_id.to_string(), &service.as_str()]).await?)
}

/// The first user of a tenant that is not active yet, an `admin`.
#[derive(Debug)]
pub struct PendingAdmin {
    /// The user's id in the tenant's database. It is fixed before provisioning starts, so that every attempt uses the same id.
    pub user_id: UserId,
    pub email: String,
    /// Argon2id in the PHC string format.
    pub password_hash: SecretString,
}

/// Stores the first user of a tenant until the tenant is active.
pub async fn insert_pending_admin(transaction: &Transaction<'_>, id: TenantId, admin: &PendingAdmin) -> Result<()> {
    let statement = transaction
        .prepare_cached("INSERT INTO pending_admins (tenant_id, user_id, email, password_hash) VALUES ($1, $2, $3, $4)")
        .await?;
    let password_hash = admin.password_hash.expose_secret();
    transaction.execute(&statement, &[&id, &admin.user_id, &admin.email, &password_hash]).await?;
    Ok(())
}

sql::columns! {
    PendingAdminColumns -> PendingAdmin {
        user_id: "user_id",
        email: "email",
        password_hash: "password_hash" via |hash: String| Ok(hash.into()),
    }
}

/// Whether the password of a tenant's first user was erased, because the tenant had been failed for long.
pub async fn is_first_password_erased(client: &impl GenericClient, id: TenantId) -> Result<bool> {
    let statement = client
        .prepare_cached("SELECT EXISTS (SELECT FROM pending_admins WHERE tenant_id = $1 AND erased_at IS NOT NULL)")
        .await?;
    Ok(client.query_one(&statement, &[&id]).await?.try_get(0)?)
}

/// The first user of a tenant; `None` after the tenant became active, or the password was erased.
pub async fn find_pending_admin(client: &impl GenericClient, id: TenantId) -> Result<Option<PendingAdmin>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            PendingAdminColumns::LIST,
            " FROM pending_admins WHERE tenant_id = $1 AND erased_at IS NULL"
        ))
        .await?;
    client.query_opt(&statement, &[&id]).await?.map(|row| PendingAdminColumns::read(&row)).transpose()
}

/// Makes a tenant active whose databases exist, and deletes its pending admin.
pub async fn activate(transaction: &Transaction<'_>, id: TenantId, schema_version: i32) -> Result<Tenant> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "WITH erased AS (DELETE FROM pending_admins WHERE tenant_id = $1)
             UPDATE tenants
             SET status = 'active', schema_version = $2,
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            TenantColumns::LIST
        ))
        .await?;
    TenantColumns::read(&transaction.query_one(&statement, &[&id, &schema_version]).await?)
}

/// Marks a tenant as failed whose databases were removed, and frees its places on the clusters.
pub async fn fail(transaction: &Transaction<'_>, id: TenantId) -> Result<Tenant> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE tenants
             SET status = 'failed', schema_version = 0, postgres_cluster = NULL, mongo_cluster = NULL,
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            TenantColumns::LIST
        ))
        .await?;
    TenantColumns::read(&transaction.query_one(&statement, &[&id]).await?)
}

/// Returns a failed tenant to status `provisioning`. Its next databases get another name, because a late worker may still remove
/// databases with the old one.
pub async fn provision_again(transaction: &Transaction<'_>, id: TenantId, database_name: &str) -> Result<Tenant> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE tenants
             SET status = 'provisioning', database_name = $2,
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            TenantColumns::LIST
        ))
        .await?;
    TenantColumns::read(&transaction.query_one(&statement, &[&id, &database_name]).await?)
}

fn is_taken_slug(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        *error.code() == SqlState::UNIQUE_VIOLATION && error.constraint() == Some("tenants_living_slug")
    })
}
