//! SQL of repairs.

use deadpool_postgres::{GenericClient, Transaction};

use crate::{
    error::Result,
    reconciliation::{FindingKind, FindingStore, Repair, store::RunLease},
    types::{OperationId, TenantId},
};

/// A finding that is to be repaired.
#[derive(Debug, Clone)]
pub(in crate::reconciliation) struct DueRepair {
    pub(in crate::reconciliation) store: FindingStore,
    pub(in crate::reconciliation) cluster: String,
    pub(in crate::reconciliation) kind: FindingKind,
    pub(in crate::reconciliation) subject: String,
    pub(in crate::reconciliation) tenant_id: Option<TenantId>,
    pub(in crate::reconciliation) database_name: Option<String>,
    pub(in crate::reconciliation) repair: Repair,
}

/// Some findings whose repair was not begun.
pub(in crate::reconciliation) async fn list_due(
    client: &impl GenericClient,
    lease: RunLease,
    limit: i64,
) -> Result<Vec<DueRepair>> {
    let statement = client
        .prepare_cached(
            "SELECT store, cluster, kind, subject, tenant_id, database_name, repair FROM reconciliation_findings
             WHERE reconciliation_id = $1 AND repair IS NOT NULL AND repaired_at IS NULL
             ORDER BY store, cluster, kind, subject LIMIT $2",
        )
        .await?;
    let rows = client.query(&statement, &[&lease.id, &limit]).await?;
    let read = |row: &tokio_postgres::Row| {
        Ok(DueRepair {
            store: row.try_get(0)?,
            cluster: row.try_get(1)?,
            kind: row.try_get(2)?,
            subject: row.try_get(3)?,
            tenant_id: row.try_get(4)?,
            database_name: row.try_get(5)?,
            repair: row.try_get(6)?,
        })
    };
    rows.iter().map(read).collect()
}

/// Who asked for the reconciliation.
pub(in crate::reconciliation) async fn find_requester(client: &impl GenericClient, lease: RunLease) -> Result<String> {
    let statement = client.prepare_cached("SELECT requested_by FROM reconciliations WHERE id = $1").await?;
    Ok(client.query_one(&statement, &[&lease.id]).await?.try_get(0)?)
}

/// Records that the repair of a finding was begun.
pub(in crate::reconciliation) async fn record_begun(
    client: &impl GenericClient,
    lease: RunLease,
    due: &DueRepair,
    operation_id: Option<OperationId>,
) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE reconciliation_findings SET repaired_at = clock_timestamp(), operation_id = $6
             WHERE reconciliation_id = $1 AND store = $2 AND cluster = $3 AND kind = $4 AND subject = $5",
        )
        .await?;
    client.execute(&statement, &[&lease.id, &due.store, &due.cluster, &due.kind, &due.subject, &operation_id]).await?;
    Ok(())
}

/// Records that a finding has changed since it was found, so that nothing was repaired.
pub(in crate::reconciliation) async fn record_changed(
    client: &impl GenericClient,
    lease: RunLease,
    due: &DueRepair,
) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE reconciliation_findings SET repair = NULL, detail = 'changed since it was found'
             WHERE reconciliation_id = $1 AND store = $2 AND cluster = $3 AND kind = $4 AND subject = $5",
        )
        .await?;
    client.execute(&statement, &[&lease.id, &due.store, &due.cluster, &due.kind, &due.subject]).await?;
    Ok(())
}

/// Marks databases that were given up as being removed. `false` if they were not given up, or an operation works on them. The caller
/// holds the lock on the tenant.
pub(in crate::reconciliation) async fn begin_removal(transaction: &Transaction<'_>, name: &str) -> Result<bool> {
    let statement = transaction
        .prepare_cached(
            "UPDATE tenant_databases d SET state = 'dropping', updated_at = clock_timestamp()
             WHERE name = $1 AND state IN ('dropped', 'dropping')
                 AND NOT EXISTS (SELECT FROM operations o WHERE o.database_name = d.name AND o.finished_at IS NULL)",
        )
        .await?;
    Ok(transaction.execute(&statement, &[&name]).await? == 1)
}

/// The cleanup that removes these databases now, if any.
pub(in crate::reconciliation) async fn find_cleanup(
    transaction: &Transaction<'_>,
    name: &str,
) -> Result<Option<OperationId>> {
    let statement = transaction
        .prepare_cached(
            "SELECT id FROM operations WHERE database_name = $1 AND finished_at IS NULL AND kind = 'cleanup'",
        )
        .await?;
    transaction.query_opt(&statement, &[&name]).await?.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// Lets the relay settle a change at once.
pub(in crate::reconciliation) async fn make_change_due(client: &impl GenericClient, id: uuid::Uuid) -> Result<()> {
    let statement = client.prepare_cached("UPDATE tenant_changes SET due_at = now() WHERE id = $1").await?;
    client.execute(&statement, &[&id]).await?;
    Ok(())
}
