//! Tenants: the table `tenants`.

mod location;
pub mod placement;

use deadpool_postgres::{GenericClient, Transaction};
use secrecy::SecretString;
use time::OffsetDateTime;
use tokio_postgres::error::SqlState;

use crate::{
    error::{Error, Result},
    tenants::{Tenant, TenantFilter, TenantName, TenantStatus, new_database_name},
    types::{Country, Cursor, Limits, PageLimit, SearchText, Slug, TenantId, UserId},
};
use crate::{
    sql::{self, Columns, Conditions},
    super_admins::{
        self,
        store::{SuperAdminKey, WithSuperAdminState},
    },
};
pub use location::{OutdatedTenant, TenantLocation, find_location, list_outdated, set_schema_version};

sql::columns! {
    /// The columns of a tenant.
    pub(crate) TenantColumns -> Tenant {
        id: "id",
        name: "name",
        slug: "slug",
        status: "status",
        mongo_database: "database_name",
        schema_version: "schema_version",
        created_at: "created_at",
        updated_at: "updated_at",
        limits: Limits {
            max_agents: "max_agents",
            max_contacts: "max_contacts",
            max_messages_month: "max_messages_month",
        },
        country: "country",
        revision: "revision",
    }
}

/// What a filter compares with, as the database reads it.
pub(crate) struct FilterValues {
    status: Option<&'static str>,
    country: Option<&'static str>,
    pattern: Option<String>,
}

impl TenantFilter {
    pub(crate) fn values(&self) -> FilterValues {
        FilterValues {
            status: self.status.map(TenantStatus::as_str),
            country: self.country.map(Country::as_str),
            pattern: self.search.as_ref().map(SearchText::like_pattern),
        }
    }
}

impl FilterValues {
    /// Narrows a query on `tenants`.
    pub(crate) fn narrow<'a>(&'a self, conditions: &mut Conditions<'a>) {
        if let Some(status) = &self.status {
            let number = conditions.number(status);
            conditions.add(format!("status = ${number}"));
        }
        if let Some(country) = &self.country {
            let number = conditions.number(country);
            // Compared as the column's own type, so that its index serves.
            conditions.add(format!("country = ${number}::text::bpchar"));
        }
        if let Some(pattern) = &self.pattern {
            let number = conditions.number(pattern);
            conditions.add(format!("(name ILIKE ${number} OR slug ILIKE ${number})"));
        }
    }
}

impl<'a> Conditions<'a> {
    /// Leaves out the tenants that come up to `cursor`, newest first.
    pub(crate) fn continue_after(&mut self, cursor: &'a Cursor) {
        let (created_at, id) = (self.number(&cursor.created_at), self.number(&cursor.id));
        self.add(format!("(created_at, id) < (${created_at}, ${id})"));
    }
}

/// A tenant to be inserted, in status `provisioning`.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: TenantName,
    /// Its slug.
    pub slug: Slug,
    /// Its limits.
    pub limits: Limits,
    /// Its country.
    pub country: Country,
}

const BY_ID: &str = sql::text!("SELECT ", TenantColumns::LIST, " FROM tenants WHERE id = $1");

/// The tenant of an id.
pub async fn find(client: &impl GenericClient, id: TenantId) -> Result<Tenant> {
    let statement = client.prepare_cached(BY_ID).await?;
    client.query_opt(&statement, &[&id]).await?.map_or(Err(NOT_FOUND), |row| TenantColumns::read(&row))
}

/// The tenant of an id, and what the operator who asks is.
pub async fn find_with_super_admin_state(
    client: &impl GenericClient,
    by: SuperAdminKey<'_>,
    id: TenantId,
) -> Result<WithSuperAdminState<Tenant>> {
    super_admins::store::find_with_super_admin_state(client, by, BY_ID, id.0, NOT_FOUND, TenantColumns::read).await
}

/// The tenant of an id, locked until the transaction ends.
pub async fn find_for_update(transaction: &Transaction<'_>, id: TenantId) -> Result<Tenant> {
    let statement = transaction.prepare_cached(sql::text!(BY_ID, " FOR UPDATE")).await?;
    transaction.query_opt(&statement, &[&id]).await?.map_or(Err(NOT_FOUND), |row| TenantColumns::read(&row))
}

/// A page of tenants, newest first, after `cursor`; and one more where the list goes on.
pub async fn list(
    client: &impl GenericClient,
    filter: &TenantFilter,
    cursor: Option<Cursor>,
    limit: PageLimit,
) -> Result<Vec<Tenant>> {
    let values = filter.values();
    let limit = i64::try_from(limit.get() + 1).map_err(Error::internal)?;
    let mut conditions = Conditions::after(vec![&limit]);
    values.narrow(&mut conditions);
    if let Some(cursor) = &cursor {
        conditions.continue_after(cursor);
    }
    let statement = client
        .prepare_cached(&format!(
            "SELECT {} FROM tenants {} ORDER BY created_at DESC, id DESC LIMIT $1",
            TenantColumns::LIST,
            conditions.clause()
        ))
        .await?;
    conditions.query(client, &statement, TenantColumns::read).await
}

/// Inserts a tenant. The unique index on living slugs decides who of several gets a slug; the others get
/// [`Error::Conflict`], and their transaction is lost.
pub async fn insert(transaction: &Transaction<'_>, tenant: &NewTenant, now: OffsetDateTime) -> Result<Tenant> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "INSERT INTO tenants (id, name, slug, status, database_name, country, max_agents, max_contacts, \
             max_messages_month, created_at, updated_at)
             VALUES ($1, $2, $3, 'provisioning', $4, $5::text, $6, $7, $8, $9, $9)
             RETURNING ",
            TenantColumns::LIST
        ))
        .await?;
    let inserted = transaction
        .query_one(
            &statement,
            &[
                &tenant.id,
                &tenant.name,
                &tenant.slug,
                &new_database_name(),
                &tenant.country,
                &tenant.limits.max_agents,
                &tenant.limits.max_contacts,
                &tenant.limits.max_messages_month,
                &now,
            ],
        )
        .await;
    match inserted {
        Ok(row) => TenantColumns::read(&row),
        Err(error) if is_taken_slug(&error) => {
            Err(Error::Conflict(format!("The slug `{}` is taken by another tenant", tenant.slug)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Sets what an operator may change, and raises the revision.
pub async fn update(
    transaction: &Transaction<'_>,
    id: TenantId,
    name: &str,
    limits: &Limits,
    status: TenantStatus,
) -> Result<Tenant> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE tenants
             SET name = $2, max_agents = $3, max_contacts = $4, max_messages_month = $5, status = $6,
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            TenantColumns::LIST
        ))
        .await?;
    let row = transaction
        .query_one(
            &statement,
            &[&id, &name, &limits.max_agents, &limits.max_contacts, &limits.max_messages_month, &status],
        )
        .await?;
    TenantColumns::read(&row)
}

/// Sets the status as an operation moves it, and raises the revision.
pub async fn set_status(transaction: &Transaction<'_>, id: TenantId, status: TenantStatus) -> Result<Tenant> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE tenants
             SET status = $2, updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            TenantColumns::LIST
        ))
        .await?;
    TenantColumns::read(&transaction.query_one(&statement, &[&id, &status]).await?)
}

/// Keeps the e-mail and the password hash of the tenant's first agent until the tenant is active.
pub async fn insert_pending_admin(
    transaction: &Transaction<'_>,
    id: TenantId,
    email: &str,
    password_hash: &str,
) -> Result<()> {
    let statement = transaction
        .prepare_cached("INSERT INTO pending_admins (tenant_id, user_id, email, password_hash) VALUES ($1, $2, $3, $4)")
        .await?;
    transaction.execute(&statement, &[&id, &UserId::generate(), &email, &password_hash]).await?;
    Ok(())
}

/// The first agent of a tenant that is not active yet.
pub struct PendingAdmin {
    /// The id that the agent gets, whoever makes it and however often.
    pub user_id: UserId,
    /// Their e-mail address.
    pub email: String,
    /// Argon2id in the PHC string format.
    pub password_hash: SecretString,
}

sql::columns! {
    PendingAdminColumns -> PendingAdmin {
        user_id: "user_id",
        email: "email",
        password_hash: "password_hash" via |hash: String| Ok(hash.into()),
    }
}

/// The first agent of a tenant; `None` once the tenant is active.
pub async fn find_pending_admin(client: &impl GenericClient, id: TenantId) -> Result<Option<PendingAdmin>> {
    let statement = client
        .prepare_cached(sql::text!("SELECT ", PendingAdminColumns::LIST, " FROM pending_admins WHERE tenant_id = $1"))
        .await?;
    let Some(row) = client.query_opt(&statement, &[&id]).await? else { return Ok(None) };
    PendingAdminColumns::read(&row).map(Some)
}

/// Opens a tenant whose databases are there, and erases what was kept of its first agent.
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

/// Marks a tenant whose databases are gone as failed. Its places on the clusters are free, and its next databases get
/// another name, as someone who is late may still clear up under the old one.
pub async fn fail(transaction: &Transaction<'_>, id: TenantId) -> Result<Tenant> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE tenants
             SET status = 'failed', schema_version = 0, database_name = $2,
                 postgres_cluster = NULL, mongo_cluster = NULL,
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            TenantColumns::LIST
        ))
        .await?;
    TenantColumns::read(&transaction.query_one(&statement, &[&id, &new_database_name()]).await?)
}

const NOT_FOUND: Error = Error::NotFound { what: "tenant" };

fn is_taken_slug(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        *error.code() == SqlState::UNIQUE_VIOLATION && error.constraint() == Some("tenants_living_slug")
    })
}
