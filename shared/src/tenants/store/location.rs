//! Where a tenant's own PostgreSQL database is, and which schema it has.

use deadpool_postgres::GenericClient;

use crate::tenants::store::NOT_FOUND;
use crate::{
    error::{Error, Result},
    sql::{self, Columns},
    tenants::{TENANT_SCHEMA_VERSION, TenantStatus},
    types::{Limits, TenantId},
};

/// Where a tenant's own PostgreSQL database is, and whether it may be worked in.
#[derive(Debug, Clone)]
pub struct TenantLocation {
    /// The tenant.
    pub id: TenantId,
    /// Where the tenant stands.
    pub status: TenantStatus,
    /// Name of its databases.
    pub database: String,
    /// The cluster of its PostgreSQL database. `None` until it is placed.
    pub postgres_cluster: Option<String>,
    /// The version of its schema.
    pub schema_version: i32,
    /// Its limits.
    pub limits: Limits,
}

impl TenantLocation {
    /// The cluster and the name of the database, of a tenant that is active and has the newest schema. Of any other the error
    /// says why not.
    pub fn require_active(&self) -> Result<(&str, &str)> {
        if self.status != TenantStatus::Active {
            return Err(Error::Conflict(format!(
                "The tenant is {}; this is only possible while it is active",
                self.status
            )));
        }
        if self.schema_version < TENANT_SCHEMA_VERSION {
            return Err(Error::Conflict(format!(
                "The tenant's databases are at version {} of the schema, and this needs version {TENANT_SCHEMA_VERSION}; \
                 migrate-platform brings them there",
                self.schema_version
            )));
        }
        let cluster = self.postgres_cluster.as_deref();
        cluster
            .map(|cluster| (cluster, &*self.database))
            .ok_or_else(|| Error::Conflict("The tenant is on no cluster, and has no databases".to_owned()))
    }
}

sql::columns! {
    LocationColumns -> TenantLocation {
        id: "id",
        status: "status",
        database: "database_name",
        postgres_cluster: "postgres_cluster",
        schema_version: "schema_version",
        limits: Limits {
            max_agents: "max_agents",
            max_contacts: "max_contacts",
            max_messages_month: "max_messages_month",
        },
    }
}

/// The location of a tenant.
pub async fn find_location(client: &impl GenericClient, id: TenantId) -> Result<TenantLocation> {
    let statement =
        client.prepare_cached(sql::text!("SELECT ", LocationColumns::LIST, " FROM tenants WHERE id = $1")).await?;
    client.query_opt(&statement, &[&id]).await?.map_or(Err(NOT_FOUND), |row| LocationColumns::read(&row))
}

/// A tenant whose databases have an earlier schema.
#[derive(Debug, Clone)]
pub struct OutdatedTenant {
    /// Which.
    pub id: TenantId,
    /// Name of its databases.
    pub database: String,
    /// The cluster of its PostgreSQL database.
    pub postgres_cluster: String,
}

sql::columns! {
    OutdatedColumns -> OutdatedTenant {
        id: "id",
        database: "database_name",
        postgres_cluster: "postgres_cluster",
    }
}

/// Tenants whose databases have an earlier schema than `version`, in the order of their ids, after one of them.
pub async fn list_outdated(
    client: &impl GenericClient,
    version: i32,
    after: Option<TenantId>,
    limit: i64,
) -> Result<Vec<OutdatedTenant>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            OutdatedColumns::LIST,
            " FROM tenants
             WHERE schema_version BETWEEN 1 AND $1 - 1 AND postgres_cluster IS NOT NULL
             AND ($2::uuid IS NULL OR id > $2)
             ORDER BY id
             LIMIT $3"
        ))
        .await?;
    client.query(&statement, &[&version, &after, &limit]).await?.iter().map(OutdatedColumns::read).collect()
}

/// Notes that the databases of a tenant have the schema of a version now. Nothing is noted where they were dropped meanwhile.
pub async fn set_schema_version(client: &impl GenericClient, tenant: &OutdatedTenant, version: i32) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE tenants
             SET schema_version = $3, updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1 AND database_name = $2 AND schema_version BETWEEN 1 AND $3 - 1",
        )
        .await?;
    client.execute(&statement, &[&tenant.id, &tenant.database, &version]).await?;
    Ok(())
}
