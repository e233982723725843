//! SQL of restored copies: the end of a restore, and the swap of a promotion.

use deadpool_postgres::{GenericClient, Transaction};

use crate::{
    error::{Error, Result},
    sql::{self, Columns},
    tenants::{Suspension, Tenant, store::TenantColumns},
    types::{OperationId, TenantId},
};

/// Marks a copy as suspended whose databases exist.
pub async fn suspend(
    transaction: &Transaction<'_>,
    id: TenantId,
    schema_version: i32,
    suspension: &Suspension,
) -> Result<Tenant> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE tenants
             SET status = 'suspended', schema_version = $2, suspension = $3,
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            TenantColumns::LIST
        ))
        .await?;
    let suspension = serde_json::to_value(suspension).map_err(Error::internal)?;
    TenantColumns::read(&transaction.query_one(&statement, &[&id, &schema_version, &suspension]).await?)
}

/// Swaps the databases of two tenants: their names, their clusters and the version of their schema. The caller holds the locks on both.
pub async fn swap_databases(transaction: &Transaction<'_>, one: TenantId, other: TenantId) -> Result<()> {
    // The ledger comes first, because the trigger on `tenants` finds in it that the databases exist.
    let ledger = transaction
        .prepare_cached(
            "UPDATE tenant_databases
             SET tenant_id = CASE tenant_id WHEN $1 THEN $2 ELSE $1 END, updated_at = clock_timestamp()
             WHERE state = 'live' AND name IN (SELECT database_name FROM tenants WHERE id IN ($1, $2))",
        )
        .await?;
    let tenants = transaction
        .prepare_cached(
            "UPDATE tenants t
             SET database_name = o.database_name, schema_version = o.schema_version,
                 postgres_cluster = o.postgres_cluster, mongo_cluster = o.mongo_cluster,
                 updated_at = greatest(now(), t.updated_at), revision = t.revision + 1
             FROM tenants o
             WHERE t.id IN ($1, $2) AND o.id IN ($1, $2) AND t.id <> o.id",
        )
        .await?;
    for statement in [ledger, tenants] {
        let changed = transaction.execute(&statement, &[&one, &other]).await?;
        if changed != 2 {
            return Err(Error::internal("a suspended tenant has no live databases in the ledger"));
        }
    }
    Ok(())
}

/// The tenant for which an operation was requested.
pub async fn find_requesting_tenant(client: &impl GenericClient, operation_id: OperationId) -> Result<TenantId> {
    let statement = client.prepare_cached("SELECT tenant_id FROM operations WHERE id = $1").await?;
    Ok(client.query_one(&statement, &[&operation_id]).await?.try_get(0)?)
}

/// The open promotion that still copies objects of this tenant to its original.
pub async fn find_promotion_from(client: &impl GenericClient, id: TenantId) -> Result<Option<OperationId>> {
    let statement = client
        .prepare_cached(
            "SELECT p.id
             FROM operations p
             JOIN tenant_databases d ON d.name = p.database_name
             JOIN operations c ON c.id = d.operation_id
             WHERE p.finished_at IS NULL AND p.kind = 'promote' AND p.tenant_id <> $1 AND c.tenant_id = $1",
        )
        .await?;
    client.query_opt(&statement, &[&id]).await?.map(|row| Ok(row.try_get(0)?)).transpose()
}
