//! Where the databases of tenants are, and which schema they have.

use deadpool_postgres::GenericClient;

use crate::{
    error::Result,
    tenants::{
        OutdatedTenant, TenantLocation,
        store::{NOT_FOUND, read_status},
    },
    types::{Limits, TenantId},
};

/// The location of a tenant's PostgreSQL database.
pub async fn find_location(client: &impl GenericClient, id: TenantId) -> Result<TenantLocation> {
    let statement = client
        .prepare_cached(
            "SELECT status, database_name, postgres_cluster, schema_version, max_agents, max_contacts, max_messages_month
             FROM tenants
             WHERE id = $1",
        )
        .await?;
    let row = client.query_opt(&statement, &[&id.0]).await?.ok_or(NOT_FOUND)?;
    Ok(TenantLocation {
        id,
        status: read_status(row.try_get(0)?)?,
        database: row.try_get(1)?,
        postgres_cluster: row.try_get(2)?,
        schema_version: row.try_get(3)?,
        limits: Limits {
            max_agents: row.try_get(4)?,
            max_contacts: row.try_get(5)?,
            max_messages_month: row.try_get(6)?,
        },
    })
}

/// Tenants whose databases have an older schema than `version`, ordered by id, after the tenant `after`.
pub async fn list_outdated(
    client: &impl GenericClient,
    version: i32,
    after: Option<TenantId>,
    limit: i64,
) -> Result<Vec<OutdatedTenant>> {
    let statement = client
        .prepare_cached(
            "SELECT id, database_name, postgres_cluster
             FROM tenants
             WHERE schema_version BETWEEN 1 AND $1 - 1 AND postgres_cluster IS NOT NULL
             AND ($2::uuid IS NULL OR id > $2)
             ORDER BY id
             LIMIT $3",
        )
        .await?;
    let rows = client.query(&statement, &[&version, &after.map(|id| id.0), &limit]).await?;
    let read = |row: &tokio_postgres::Row| {
        Ok(OutdatedTenant {
            id: TenantId(row.try_get(0)?),
            database: row.try_get(1)?,
            postgres_cluster: row.try_get(2)?,
        })
    };
    rows.iter().map(read).collect()
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
    client.execute(&statement, &[&tenant.id.0, &tenant.database, &version]).await?;
    Ok(())
}
