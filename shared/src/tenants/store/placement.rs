//! SQL of placement: which clusters hold a tenant's databases, and how many tenants each cluster holds.

use std::collections::HashMap;

use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

use crate::{
    error::Result,
    sql::{self, Columns, RowReader},
    types::{Placement, TenantId},
};

/// Takes a lock until the transaction ends. Without it, two placements at once could exceed the cap of a cluster.
pub async fn lock(transaction: &Transaction<'_>) -> Result<()> {
    let statement = transaction.prepare_cached("SELECT pg_advisory_xact_lock(hashtext('landlord placement'))").await?;
    transaction.execute(&statement, &[]).await?;
    Ok(())
}

sql::columns! {
    /// The columns of a placement, which are null until the tenant is placed: read them with `read_optional_at`.
    pub(crate) PlacementColumns -> Placement {
        postgres_cluster: "postgres_cluster",
        mongo_cluster: "mongo_cluster",
    }
}

/// The placement of a tenant, if it is placed. Locks the tenant's row until the transaction ends.
pub async fn find_for_update(transaction: &Transaction<'_>, tenant_id: TenantId) -> Result<Option<Placement>> {
    let statement = transaction
        .prepare_cached(sql::text!("SELECT ", PlacementColumns::LIST, " FROM tenants WHERE id = $1 FOR UPDATE"))
        .await?;
    let row = transaction.query_one(&statement, &[&tenant_id]).await?;
    PlacementColumns::read_optional_at(&row, 0)
}

pub async fn update(transaction: &Transaction<'_>, tenant_id: TenantId, placement: &Placement) -> Result<()> {
    let statement = transaction
        .prepare_cached("UPDATE tenants SET postgres_cluster = $2, mongo_cluster = $3 WHERE id = $1")
        .await?;
    transaction.execute(&statement, &[&tenant_id, &placement.postgres_cluster, &placement.mongo_cluster]).await?;
    Ok(())
}

/// Number of tenants on each PostgreSQL cluster.
pub async fn count_by_postgres_cluster(client: &impl GenericClient) -> Result<HashMap<String, i64>> {
    count(client, "SELECT postgres_cluster, count(*) FROM tenants WHERE postgres_cluster IS NOT NULL GROUP BY 1").await
}

/// Number of tenants on each MongoDB cluster.
pub async fn count_by_mongo_cluster(client: &impl GenericClient) -> Result<HashMap<String, i64>> {
    count(client, "SELECT mongo_cluster, count(*) FROM tenants WHERE mongo_cluster IS NOT NULL GROUP BY 1").await
}

async fn count(client: &impl GenericClient, query: &str) -> Result<HashMap<String, i64>> {
    let statement = client.prepare_cached(query).await?;
    let read = |row: &Row| {
        let mut columns = RowReader::new(row, 0);
        Ok((columns.take()?, columns.take()?))
    };
    client.query(&statement, &[]).await?.iter().map(read).collect()
}
