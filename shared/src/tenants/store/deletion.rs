//! SQL of the end of a tenant: its deletion, its return, and the receipt.

use deadpool_postgres::{GenericClient, Transaction};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    error::{Error, Result},
    sql::{self, Columns},
    tenants::{Deletion, Tenant, TenantStatus, store::TenantColumns},
    types::{OperationId, TenantId},
};

/// The time of the platform database, whose clock decides when the window ends.
pub async fn now(client: &impl GenericClient) -> Result<OffsetDateTime> {
    let statement = client.prepare_cached("SELECT clock_timestamp()").await?;
    Ok(client.query_one(&statement, &[]).await?.try_get(0)?)
}

/// Begins a deletion.
pub(in crate::tenants) async fn begin(
    transaction: &Transaction<'_>,
    id: TenantId,
    deletion: &Deletion,
) -> Result<Tenant> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE tenants
             SET status = 'deleting', deletion = $2, updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            TenantColumns::LIST
        ))
        .await?;
    let deletion = serde_json::to_value(deletion).map_err(Error::internal)?;
    TenantColumns::read(&transaction.query_one(&statement, &[&id, &deletion]).await?)
}

/// Whether the purge of a tenant waits for an export that is not complete, so that it has removed nothing.
pub(in crate::tenants) async fn waits_for_export(transaction: &Transaction<'_>, id: TenantId) -> Result<bool> {
    let statement = transaction
        .prepare_cached(
            "SELECT EXISTS (
                 SELECT FROM exports e JOIN operations o ON o.id = e.operation_id
                 WHERE e.tenant_id = $1 AND e.finished_at IS NULL AND o.kind = 'purge' AND o.finished_at IS NULL)",
        )
        .await?;
    Ok(transaction.query_one(&statement, &[&id]).await?.try_get(0)?)
}

/// Takes a deletion back.
pub(in crate::tenants) async fn take_back(
    transaction: &Transaction<'_>,
    id: TenantId,
    status: TenantStatus,
) -> Result<Tenant> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE tenants
             SET status = $2, deletion = NULL, updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            TenantColumns::LIST
        ))
        .await?;
    TenantColumns::read(&transaction.query_one(&statement, &[&id, &status]).await?)
}

/// Marks a tenant as deleted of which nothing is left, frees its places on the clusters, and deletes its first user.
pub async fn end(transaction: &Transaction<'_>, id: TenantId) -> Result<Tenant> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "WITH erased AS (DELETE FROM pending_admins WHERE tenant_id = $1)
             UPDATE tenants
             SET status = 'deleted', schema_version = 0, postgres_cluster = NULL, mongo_cluster = NULL,
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            TenantColumns::LIST
        ))
        .await?;
    TenantColumns::read(&transaction.query_one(&statement, &[&id]).await?)
}

/// Inserts what the receipt is going to state.
pub async fn insert_receipt(
    transaction: &Transaction<'_>,
    id: TenantId,
    operation_id: OperationId,
    content: &Value,
) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO tenant_receipts (tenant_id, operation_id, content, purged_at) VALUES ($1, $2, $3, clock_timestamp())",
        )
        .await?;
    transaction.execute(&statement, &[&id, &operation_id, content]).await?;
    Ok(())
}

/// What a receipt states, and the receipt if it was signed.
#[derive(Debug)]
pub struct StoredReceipt {
    pub operation_id: OperationId,
    pub content: Value,
    pub purged_at: OffsetDateTime,
    /// The JWS in compact form.
    pub jws: Option<String>,
}

sql::columns! {
    ReceiptColumns -> StoredReceipt {
        operation_id: "operation_id",
        content: "content",
        purged_at: "purged_at",
        jws: "jws",
    }
}

/// The receipt of a tenant. `None` before the end of the tenant.
pub async fn find_receipt(client: &impl GenericClient, id: TenantId) -> Result<Option<StoredReceipt>> {
    let statement = client
        .prepare_cached(sql::text!("SELECT ", ReceiptColumns::LIST, " FROM tenant_receipts WHERE tenant_id = $1"))
        .await?;
    client.query_opt(&statement, &[&id]).await?.map(|row| ReceiptColumns::read(&row)).transpose()
}

/// Stores the signed receipt, unless one is stored already, and returns the stored one.
pub async fn store_jws(client: &impl GenericClient, id: TenantId, jws: &str) -> Result<String> {
    let statement = client
        .prepare_cached(
            "UPDATE tenant_receipts SET jws = coalesce(jws, $2), signed_at = coalesce(signed_at, now())
             WHERE tenant_id = $1
             RETURNING jws",
        )
        .await?;
    Ok(client.query_one(&statement, &[&id, &jws]).await?.try_get(0)?)
}
