//! SQL of repairs.

use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::types::ToSql;

use crate::{
    error::Result,
    reconciliation::{
        FindingKind, FindingStore, Repair,
        store::{self, HELD, RunLease},
    },
    sql,
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

/// What became of a repair.
#[derive(Debug, Clone, Copy)]
pub(in crate::reconciliation) enum RepairOutcome {
    /// It was begun, by this operation if it needs one.
    Begun(Option<OperationId>),
    /// The finding has changed since it was found, so that nothing was repaired.
    Changed,
}

/// Some findings whose repair was not begun. None if another process has taken the reconciliation.
pub(in crate::reconciliation) async fn list_due(
    client: &impl GenericClient,
    lease: RunLease,
    limit: i64,
) -> Result<Vec<DueRepair>> {
    let statement = client
        .prepare_cached(sql::text!(
            "WITH ",
            HELD,
            " SELECT f.store, f.cluster, f.kind, f.subject, f.tenant_id, f.database_name, f.repair
             FROM held
             JOIN reconciliation_findings f ON f.reconciliation_id = held.id
             WHERE f.repair IS NOT NULL AND f.repaired_at IS NULL
             ORDER BY f.store, f.cluster, f.kind, f.subject LIMIT $3"
        ))
        .await?;
    let rows = client.query(&statement, &[&lease.id, &lease.token, &limit]).await?;
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

/// Records what became of the repair of a finding. Fails if another process has taken the reconciliation.
pub(in crate::reconciliation) async fn record(
    client: &impl GenericClient,
    lease: RunLease,
    due: &DueRepair,
    outcome: RepairOutcome,
) -> Result<()> {
    match outcome {
        RepairOutcome::Begun(operation_id) => record_begun(client, lease, due, operation_id).await,
        RepairOutcome::Changed => record_changed(client, lease, due).await,
    }
}

async fn record_begun(
    client: &impl GenericClient,
    lease: RunLease,
    due: &DueRepair,
    operation_id: Option<OperationId>,
) -> Result<()> {
    let statement = client
        .prepare_cached(sql::text!(
            "WITH ",
            HELD,
            ", written AS (
                 UPDATE reconciliation_findings f SET repaired_at = clock_timestamp(), operation_id = $7
                 FROM held
                 WHERE f.reconciliation_id = held.id AND f.store = $3 AND f.cluster = $4 AND f.kind = $5 AND f.subject = $6)
             SELECT FROM held"
        ))
        .await?;
    let parameters: [&(dyn ToSql + Sync); 7] =
        [&lease.id, &lease.token, &due.store, &due.cluster, &due.kind, &due.subject, &operation_id];
    store::write(client, &statement, &parameters).await
}

async fn record_changed(client: &impl GenericClient, lease: RunLease, due: &DueRepair) -> Result<()> {
    let statement = client
        .prepare_cached(sql::text!(
            "WITH ",
            HELD,
            ", written AS (
                 UPDATE reconciliation_findings f SET repair = NULL, detail = 'changed since it was found'
                 FROM held
                 WHERE f.reconciliation_id = held.id AND f.store = $3 AND f.cluster = $4 AND f.kind = $5 AND f.subject = $6)
             SELECT FROM held"
        ))
        .await?;
    let parameters: [&(dyn ToSql + Sync); 6] =
        [&lease.id, &lease.token, &due.store, &due.cluster, &due.kind, &due.subject];
    store::write(client, &statement, &parameters).await
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
