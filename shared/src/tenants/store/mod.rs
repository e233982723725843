//! SQL of tenants: the tables `tenants` and `pending_admins`.

mod change;
pub mod databases;
pub mod deletion;
mod location;
pub mod placement;
pub mod restored;

pub use self::{
    change::{
        NewTenant, PendingAdmin, acknowledge, activate, fail, find_pending_admin, insert, insert_pending_admin,
        is_first_password_erased, provision_again, update,
    },
    location::{find_location, list_outdated, set_schema_version},
};
pub use crate::tenants::{OutdatedTenant, TenantLocation};
use crate::{
    error::{Error, Result},
    sql::{self, Alternatives, COUNTED_ROWS, Columns, Conditions},
    super_admins::{
        self,
        store::{SuperAdminKey, WithSuperAdminState},
    },
    tenants::{Deletion, RestoredFrom, Suspension, Tenant, TenantFilter},
    types::{Count, Limits, PageRequest, SearchText, TenantId},
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
        on_limit: "on_limit",
        country: "country",
        suspension: "suspension" via Suspension::read,
        deletion: "deletion" via Deletion::read,
        restored_from: "restored_from" via RestoredFrom::read,
        revision: "revision",
    }
}

/// The values of a [`TenantFilter`], as query parameters.
pub(crate) struct FilterValues<'a> {
    filter: &'a TenantFilter,
    pattern: Option<String>,
}

impl TenantFilter {
    pub(crate) fn values(&self) -> FilterValues<'_> {
        FilterValues { filter: self, pattern: self.search.as_ref().map(SearchText::like_pattern) }
    }
}

/// Converts a parameter to the type of the column `country`, because the index is not used otherwise.
const COUNTRY_CAST: &str = "::text::bpchar";

impl FilterValues<'_> {
    /// Adds the conditions to a query on tenants.
    pub(crate) fn narrow<'a>(&'a self, conditions: &mut Conditions<'a>) {
        if let Some(statuses) = &self.filter.status {
            conditions.one_of("status", "", statuses.as_slice());
        }
        if let Some(countries) = &self.filter.country {
            conditions.one_of("country", COUNTRY_CAST, countries.as_slice());
        }
        self.narrow_rest(conditions);
    }

    /// Adds the conditions to a query that is sorted by time. Several statuses, or else several countries, are alternatives.
    pub(crate) fn narrow_by_time<'a>(&'a self, conditions: &mut Conditions<'a>) -> Option<Alternatives> {
        let several_statuses = self.filter.status.as_ref().filter(|values| values.as_slice().len() > 1);
        let several_countries = self.filter.country.as_ref().filter(|values| values.as_slice().len() > 1);
        if let Some(statuses) = several_statuses {
            if let Some(countries) = &self.filter.country {
                conditions.one_of("country", COUNTRY_CAST, countries.as_slice());
            }
            self.narrow_rest(conditions);
            return Some(conditions.alternatives("status", "", statuses.as_slice()));
        }
        let Some(countries) = several_countries else {
            self.narrow(conditions);
            return None;
        };
        if let Some(statuses) = &self.filter.status {
            conditions.one_of("status", "", statuses.as_slice());
        }
        self.narrow_rest(conditions);
        Some(conditions.alternatives("country", COUNTRY_CAST, countries.as_slice()))
    }

    fn narrow_rest<'a>(&'a self, conditions: &mut Conditions<'a>) {
        if let Some(pattern) = &self.pattern {
            conditions.contain_text(pattern, None);
        }
        conditions.created_in(&self.filter.created);
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

/// A page of tenants. Contains one more tenant than the limit if the list continues.
pub async fn list(client: &impl GenericClient, filter: &TenantFilter, page: PageRequest) -> Result<Vec<Tenant>> {
    const SELECT: &str = sql::text!("SELECT ", TenantColumns::LIST, " FROM tenants");
    let values = filter.values();
    let limit = i64::try_from(page.limit.get() + 1).map_err(Error::internal)?;
    let mut conditions = Conditions::after(vec![&limit]);
    let alternatives = values.narrow_by_time(&mut conditions);
    let order = conditions.page("created_at", "id", &page);
    let statement = conditions.prepare(client, &conditions.page_query(SELECT, alternatives.as_ref(), &order)).await?;
    conditions.query(client, &statement, TenantColumns::read).await
}

/// The number of tenants.
pub async fn count(client: &impl GenericClient, filter: &TenantFilter) -> Result<Count> {
    let values = filter.values();
    let mut conditions = Conditions::after(vec![&COUNTED_ROWS]);
    values.narrow(&mut conditions);
    conditions.count(client, "tenants").await
}

const NOT_FOUND: Error = Error::NotFound { what: "tenant" };
