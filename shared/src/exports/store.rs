//! SQL of exports. The files are in the bucket.

use deadpool_postgres::{GenericClient, Transaction};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    error::{Error, Result},
    exports::{Export, ExportFilter, ExportSummary},
    sql::{self, Columns, Conditions},
    types::{ExportId, OperationId, PageRequest, TenantId},
};

sql::columns! {
    /// The columns of an export `e` and its operation `o`.
    ExportColumns -> Export {
        id: "e.id",
        tenant_id: "e.tenant_id",
        operation_id: "e.operation_id",
        status: "CASE WHEN e.manifest_key IS NOT NULL THEN CASE WHEN e.expires_at > now() THEN 'complete' ELSE 'expired' END \
             WHEN o.status IN ('pending', 'failed', 'superseded') THEN o.status \
             WHEN o.not_before > now() THEN 'pending' ELSE 'running' END",
        requested_by: "e.requested_by",
        reason: "e.reason",
        created_at: "e.created_at",
        finished_at: "coalesce(e.finished_at, CASE WHEN o.status <> 'succeeded' THEN o.finished_at END)",
        expires_at: "e.expires_at",
        manifest_sha256: "e.manifest_sha256",
        summary: "e.summary" via read_summary,
        manifest_key: "e.manifest_key",
        revision: "o.revision + CASE WHEN e.expires_at <= now() THEN 1 ELSE 0 END \
             + CASE WHEN o.not_before <= now() THEN 1 ELSE 0 END",
    }
}

fn read_summary(column: Option<Value>) -> Result<Option<ExportSummary>> {
    column.map(serde_json::from_value).transpose().map_err(Error::internal)
}

/// An export that is requested.
#[derive(Debug, Clone, Copy)]
pub struct NewExport<'a> {
    pub tenant_id: TenantId,
    pub operation_id: OperationId,
    /// The id of the actor.
    pub requested_by: &'a str,
    pub reason: &'a str,
}

/// Inserts an export that its operation is going to complete.
pub async fn insert(transaction: &Transaction<'_>, new: NewExport<'_>, now: OffsetDateTime) -> Result<ExportId> {
    let NewExport { tenant_id, operation_id, requested_by, reason } = new;
    let id = ExportId::generate();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO exports (id, tenant_id, operation_id, requested_by, reason, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .await?;
    transaction.execute(&statement, &[&id, &tenant_id, &operation_id, &requested_by, &reason, &now]).await?;
    Ok(id)
}

/// An export of a tenant.
pub async fn find(client: &impl GenericClient, tenant_id: TenantId, id: ExportId) -> Result<Export> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            ExportColumns::LIST,
            " FROM exports e JOIN operations o ON o.id = e.operation_id WHERE e.id = $1 AND e.tenant_id = $2"
        ))
        .await?;
    let row = client.query_opt(&statement, &[&id, &tenant_id]).await?;
    row.map_or(Err(Error::NotFound { what: "export" }), |row| ExportColumns::read(&row))
}

/// A page of a tenant's exports. Contains one more export than the limit if the list continues.
pub async fn list(
    client: &impl GenericClient,
    tenant_id: TenantId,
    filter: &ExportFilter,
    page: PageRequest,
) -> Result<Vec<Export>> {
    let limit = i64::try_from(page.limit.get() + 1).map_err(Error::internal)?;
    let mut conditions = Conditions::after(vec![&limit, &tenant_id]);
    conditions.add("tenant_id = $2".to_owned());
    conditions.created_in(&filter.created);
    let order = conditions.page("created_at", "id", &page);
    let statement = client
        .prepare_cached(&format!(
            "SELECT {} FROM ({}) e JOIN operations o ON o.id = e.operation_id ORDER BY {}",
            ExportColumns::LIST,
            conditions.page_query("SELECT * FROM exports", None, &order),
            // The operation has such columns too.
            order.replace("created_at", "e.created_at").replace(" id", " e.id"),
        ))
        .await?;
    conditions.query(client, &statement, ExportColumns::read).await
}

/// The export that an operation writes, if any, and whether it is complete.
pub async fn find_of_operation(
    client: &impl GenericClient,
    operation_id: OperationId,
) -> Result<Option<(ExportId, bool)>> {
    let statement =
        client.prepare_cached("SELECT id, finished_at IS NOT NULL FROM exports WHERE operation_id = $1").await?;
    let row = client.query_opt(&statement, &[&operation_id]).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// What makes an export complete.
#[derive(Debug, Clone)]
pub struct CompletedExport<'a> {
    pub expires_at: OffsetDateTime,
    pub manifest_key: &'a str,
    pub manifest_sha256: &'a str,
    pub summary: &'a ExportSummary,
}

/// Makes an export complete. The caller has checked the lease of its operation, which completes it once.
pub async fn complete(transaction: &Transaction<'_>, id: ExportId, with: &CompletedExport<'_>) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "UPDATE exports
             SET finished_at = clock_timestamp(), expires_at = $2, manifest_key = $3, manifest_sha256 = $4, summary = $5
             WHERE id = $1",
        )
        .await?;
    let summary = serde_json::to_value(with.summary).map_err(Error::internal)?;
    let CompletedExport { expires_at, manifest_key, manifest_sha256, .. } = with;
    transaction.execute(&statement, &[&id, expires_at, manifest_key, manifest_sha256, &summary]).await?;
    Ok(())
}

/// The versions of the schema that copies of complete exports are created with.
pub async fn list_schema_versions(client: &impl GenericClient) -> Result<Vec<i32>> {
    let statement = client
        .prepare_cached("SELECT DISTINCT (summary ->> 'schema_version')::integer FROM exports WHERE expires_at > now()")
        .await?;
    Ok(client.query(&statement, &[]).await?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Records that the files of a tenant's exports are going to be removed, except those of `kept`.
pub async fn expire_others(transaction: &Transaction<'_>, tenant_id: TenantId, kept: Option<ExportId>) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "UPDATE exports SET expires_at = now()
             WHERE tenant_id = $1 AND id IS DISTINCT FROM $2 AND expires_at > now()",
        )
        .await?;
    transaction.execute(&statement, &[&tenant_id, &kept]).await?;
    Ok(())
}
