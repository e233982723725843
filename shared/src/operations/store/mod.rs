//! SQL of operations. [`journal`] contains the SQL that only their workers run.

pub mod journal;

use deadpool_postgres::{GenericClient, Transaction};
use time::OffsetDateTime;
use tokio_postgres::Row;

use crate::{
    error::{Error, Result},
    operations::{OpenOperation, Operation, OperationKind, OperationStatus, OperationStep, StepStatus},
    types::{Cursor, OperationId, PageLimit, TenantId},
};

/// Inserts a pending operation with its steps. The caller has checked, under a lock on the tenant, that no other operation
/// is open.
pub async fn insert(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    kind: OperationKind,
    requested_by: &str,
    now: OffsetDateTime,
) -> Result<OperationId> {
    let id = OperationId::generate();
    let statement = transaction
        .prepare_cached(
            "WITH operation AS (
                 INSERT INTO operations (id, tenant_id, kind, status, requested_by, created_at, updated_at)
                 VALUES ($1, $2, $3, 'pending', $4, $5, $5)
                 RETURNING id
             )
             INSERT INTO operation_steps (operation_id, position, name)
             SELECT operation.id, step.position, step.name
             FROM operation, unnest($6::text[]) WITH ORDINALITY AS step (name, position)",
        )
        .await?;
    let steps: Vec<&str> = kind.steps().iter().map(|step| step.as_str()).collect();
    transaction.execute(&statement, &[&id.0, &tenant_id.0, &kind.as_str(), &requested_by, &now, &steps]).await?;
    Ok(id)
}

/// The open operation of a tenant, if any.
pub async fn find_open(client: &impl GenericClient, tenant_id: TenantId) -> Result<Option<OpenOperation>> {
    let statement = client
        .prepare_cached("SELECT id, kind, status FROM operations WHERE tenant_id = $1 AND finished_at IS NULL")
        .await?;
    let Some(row) = client.query_opt(&statement, &[&tenant_id.0]).await? else { return Ok(None) };
    Ok(Some(OpenOperation {
        id: OperationId(row.try_get(0)?),
        kind: read_kind(row.try_get(1)?)?,
        status: read_status(row.try_get(2)?)?,
    }))
}

/// A page of a tenant's operations with their steps, newest first, after `cursor`. Contains one more operation than `limit`
/// if the list continues.
pub async fn list(
    client: &impl GenericClient,
    tenant_id: TenantId,
    cursor: Option<Cursor>,
    limit: PageLimit,
) -> Result<Vec<Operation>> {
    let statement = client
        .prepare_cached(
            "SELECT o.id, o.tenant_id, o.kind, o.status, o.reason, o.attempts, o.created_at, o.finished_at,
                    o.requested_by, s.name, s.status, s.attempts, s.started_at, s.finished_at, s.error
             FROM (
                 SELECT * FROM operations
                 WHERE tenant_id = $1 AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
                 ORDER BY created_at DESC, id DESC LIMIT $2
             ) o
             LEFT JOIN operation_steps s ON s.operation_id = o.id
             ORDER BY o.created_at DESC, o.id DESC, s.position",
        )
        .await?;
    let mut operations: Vec<Operation> = Vec::new();
    let limit = i64::try_from(limit.get() + 1).map_err(Error::internal)?;
    let (after, after_id) = cursor.map(|cursor| (cursor.created_at, cursor.id)).unzip();
    for row in client.query(&statement, &[&tenant_id.0, &limit, &after, &after_id]).await? {
        let id = OperationId(row.try_get(0)?);
        if operations.last().is_none_or(|operation| operation.id != id) {
            operations.push(Operation {
                id,
                tenant_id: TenantId(row.try_get(1)?),
                kind: read_kind(row.try_get(2)?)?,
                status: read_status(row.try_get(3)?)?,
                reason: row.try_get(4)?,
                attempts: row.try_get(5)?,
                steps: Vec::new(),
                created_at: row.try_get(6)?,
                finished_at: row.try_get(7)?,
                requested_by: row.try_get(8)?,
            });
        }
        if let (Some(operation), Some(step)) = (operations.last_mut(), read_step(&row, 9)?) {
            operation.steps.push(step);
        }
    }
    Ok(operations)
}

fn read_step(row: &Row, first_column: usize) -> Result<Option<OperationStep>> {
    let Some(name) = row.try_get::<_, Option<String>>(first_column)? else { return Ok(None) };
    let status: &str = row.try_get(first_column + 1)?;
    Ok(Some(OperationStep {
        name,
        status: StepStatus::from_text(status)
            .ok_or_else(|| Error::internal(format!("unknown step status `{status}`")))?,
        attempts: row.try_get(first_column + 2)?,
        started_at: row.try_get(first_column + 3)?,
        finished_at: row.try_get(first_column + 4)?,
        error: row.try_get(first_column + 5)?,
    }))
}

pub(super) fn read_kind(text: &str) -> Result<OperationKind> {
    OperationKind::from_text(text).ok_or_else(|| Error::internal(format!("unknown operation kind `{text}`")))
}

pub(super) fn read_status(text: &str) -> Result<OperationStatus> {
    OperationStatus::from_text(text).ok_or_else(|| Error::internal(format!("unknown operation status `{text}`")))
}
