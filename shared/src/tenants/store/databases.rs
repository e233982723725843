//! SQL of the ledger of databases, `tenant_databases`. It has one row for every name that was ever given to a tenant's databases, and
//! records what should exist under that name. Triggers on `tenants` insert the rows, and the journal raises their fencing tokens.
//!
//! In each transaction, the caller has already locked the tenant's row and the operation.

use deadpool_postgres::{GenericClient, Transaction};

use crate::{
    error::Result,
    types::{OperationId, Placement, TenantId},
};

/// Records where an operation is going to create its databases.
pub async fn begin_creation(
    transaction: &Transaction<'_>,
    operation_id: OperationId,
    placement: &Placement,
) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "UPDATE tenant_databases d
             SET state = 'creating', operation_id = o.id, postgres_cluster = $2, mongo_cluster = $3,
                 updated_at = clock_timestamp()
             FROM operations o
             WHERE o.id = $1 AND d.name = o.database_name",
        )
        .await?;
    let (postgres, mongo) = (&placement.postgres_cluster, &placement.mongo_cluster);
    transaction.execute(&statement, &[&operation_id, postgres, mongo]).await?;
    Ok(())
}

/// Records that the databases of an operation exist.
pub async fn end_creation(transaction: &Transaction<'_>, operation_id: OperationId) -> Result<()> {
    set_state(transaction, operation_id, "live").await
}

/// Records that nothing of the databases of an operation exists any more.
pub async fn end_removal(transaction: &Transaction<'_>, operation_id: OperationId) -> Result<()> {
    set_state(transaction, operation_id, "dropped").await
}

async fn set_state(transaction: &Transaction<'_>, operation_id: OperationId, state: &str) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "UPDATE tenant_databases d SET state = $2, updated_at = clock_timestamp()
             FROM operations o
             WHERE o.id = $1 AND d.name = o.database_name",
        )
        .await?;
    transaction.execute(&statement, &[&operation_id, &state]).await?;
    Ok(())
}

/// Every name that was ever given to a tenant's databases.
pub async fn list_names(client: &impl GenericClient, tenant_id: TenantId) -> Result<Vec<String>> {
    let statement =
        client.prepare_cached("SELECT name FROM tenant_databases WHERE tenant_id = $1 ORDER BY created_at").await?;
    client.query(&statement, &[&tenant_id]).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Where the databases of an operation are or will be. `None` until they are placed.
pub async fn find_placement(client: &impl GenericClient, operation_id: OperationId) -> Result<Option<Placement>> {
    let statement = client
        .prepare_cached(
            "SELECT d.postgres_cluster, d.mongo_cluster
             FROM operations o JOIN tenant_databases d ON d.name = o.database_name
             WHERE o.id = $1",
        )
        .await?;
    let row = client.query_one(&statement, &[&operation_id]).await?;
    Ok(Placement::read(row.try_get(0)?, row.try_get(1)?))
}
