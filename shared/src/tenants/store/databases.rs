//! SQL of the ledger of databases, `tenant_databases`. It has one row for every name that was ever given to a tenant's databases, and
//! records what should exist under that name. Triggers on `tenants` insert the rows, and the journal raises their fencing tokens.
//!
//! In each transaction, the caller has already locked the tenant's row and the operation.

use deadpool_postgres::Transaction;

use crate::{
    error::Result,
    types::{OperationId, Placement, TenantId},
};

/// Records where an operation is going to create the current databases of a tenant.
pub async fn begin_creation(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    operation_id: OperationId,
    placement: &Placement,
) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "UPDATE tenant_databases d
             SET state = 'creating', operation_id = $2, postgres_cluster = $3, mongo_cluster = $4,
                 updated_at = clock_timestamp()
             FROM tenants t
             WHERE t.id = $1 AND d.name = t.database_name",
        )
        .await?;
    let (postgres, mongo) = (&placement.postgres_cluster, &placement.mongo_cluster);
    transaction.execute(&statement, &[&tenant_id, &operation_id, postgres, mongo]).await?;
    Ok(())
}

/// Records that the current databases of a tenant exist.
pub async fn end_creation(transaction: &Transaction<'_>, tenant_id: TenantId) -> Result<()> {
    set_state(transaction, tenant_id, "live").await
}

/// Records that nothing of the current databases of a tenant exists any more.
pub async fn end_removal(transaction: &Transaction<'_>, tenant_id: TenantId) -> Result<()> {
    set_state(transaction, tenant_id, "dropped").await
}

async fn set_state(transaction: &Transaction<'_>, tenant_id: TenantId, state: &str) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "UPDATE tenant_databases d SET state = $2, updated_at = clock_timestamp()
             FROM tenants t
             WHERE t.id = $1 AND d.name = t.database_name",
        )
        .await?;
    transaction.execute(&statement, &[&tenant_id, &state]).await?;
    Ok(())
}
