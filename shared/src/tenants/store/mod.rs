//! SQL of tenants: the tables `tenants` and `pending_admins`.

mod change;
mod location;
pub mod placement;

pub use self::{
    change::{
        NewTenant, PendingAdmin, activate, fail, find_pending_admin, insert, insert_pending_admin, set_status, update,
    },
    location::{find_location, list_outdated, set_schema_version},
};
pub use crate::tenants::{OutdatedTenant, TenantLocation};
use crate::{
    error::{Error, Result},
    sql::{self, Columns, Conditions},
    super_admins::{
        self,
        store::{SuperAdminKey, WithSuperAdminState},
    },
    tenants::{Tenant, TenantFilter, TenantStatus},
    types::{Country, Cursor, Limits, PageLimit, SearchText, TenantId},
};
use deadpool_postgres::{GenericClient, Transaction};

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

/// The values of a [`TenantFilter`], as query parameters.
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
    /// Adds the conditions to a query on `tenants`.
    pub(crate) fn narrow<'a>(&'a self, conditions: &mut Conditions<'a>) {
        if let Some(status) = &self.status {
            let number = conditions.number(status);
            conditions.add(format!("status = ${number}"));
        }
        if let Some(country) = &self.country {
            let number = conditions.number(country);
            // Cast to the column's type, because the index is not used otherwise.
            conditions.add(format!("country = ${number}::text::bpchar"));
        }
        if let Some(pattern) = &self.pattern {
            let number = conditions.number(pattern);
            conditions.add(format!("(name ILIKE ${number} OR slug ILIKE ${number})"));
        }
    }
}

impl<'a> Conditions<'a> {
    /// Excludes the tenants up to and including `cursor`, newest first.
    pub(crate) fn continue_after(&mut self, cursor: &'a Cursor) {
        let (created_at, id) = (self.number(&cursor.created_at), self.number(&cursor.id));
        self.add(format!("(created_at, id) < (${created_at}, ${id})"));
    }
}

const BY_ID: &str = sql::text!("SELECT ", TenantColumns::LIST, " FROM tenants WHERE id = $1");

/// The tenant with this id.
pub async fn find(client: &impl GenericClient, id: TenantId) -> Result<Tenant> {
    let statement = client.prepare_cached(BY_ID).await?;
    client.query_opt(&statement, &[&id]).await?.map_or(Err(NOT_FOUND), |row| TenantColumns::read(&row))
}

/// The tenant with this id, and the state of the super-admin who sent the request.
pub async fn find_with_super_admin_state(
    client: &impl GenericClient,
    by: SuperAdminKey<'_>,
    id: TenantId,
) -> Result<WithSuperAdminState<Tenant>> {
    super_admins::store::find_with_super_admin_state(client, by, BY_ID, id.0, NOT_FOUND, TenantColumns::read).await
}

/// The tenant with this id, locked until the transaction ends.
pub async fn find_for_update(transaction: &Transaction<'_>, id: TenantId) -> Result<Tenant> {
    let statement = transaction
        .prepare_cached(sql::text!("SELECT ", TenantColumns::LIST, " FROM tenants WHERE id = $1 FOR UPDATE"))
        .await?;
    transaction.query_opt(&statement, &[&id]).await?.map_or(Err(NOT_FOUND), |row| TenantColumns::read(&row))
}

/// A page of tenants, newest first, after `cursor`. Contains one more tenant than `limit` if the list continues.
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

const NOT_FOUND: Error = Error::NotFound { what: "tenant" };
