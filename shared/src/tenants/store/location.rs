//! Where the databases of tenants are, and which schema they have.

use deadpool_postgres::GenericClient;

use crate::{
    error::Result,
    sql::{self, Columns},
    tenants::{OutdatedTenant, TenantLocation, store::NOT_FOUND},
    types::{Limits, TenantId},
};

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

/// The location of a tenant's PostgreSQL database.
pub async fn find_location(client: &impl GenericClient, id: TenantId) -> Result<TenantLocation> {
    let statement =
        client.prepare_cached(sql::text!("SELECT ", LocationColumns::LIST, " FROM tenants WHERE id = $1")).await?;
    client.query_opt(&statement, &[&id]).await?.map_or(Err(NOT_FOUND), |row| LocationColumns::read(&row))
}

sql::columns! {
    OutdatedColumns -> OutdatedTenant {
        id: "id",
        database: "database_name",
        postgres_cluster: "postgres_cluster",
    }
}

/// Tenants whose databases have an older schema than `version`, ordered by id, after the tenant `after`.
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

/// Records the new schema version of a tenant's databases. Does nothing if the databases were dropped in the meantime.
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
