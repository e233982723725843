//! SQL of operations. [`journal`] contains the SQL that only their workers run.

pub mod journal;

use deadpool_postgres::{GenericClient, Transaction};
use time::OffsetDateTime;

use crate::{
    error::{Error, Result},
    operations::{OpenOperation, Operation, OperationKind, OperationStep},
    sql::{self, Columns},
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
    transaction.execute(&statement, &[&id, &tenant_id, &kind, &requested_by, &now, &steps]).await?;
    Ok(id)
}

sql::columns! {
    OpenOperationColumns -> OpenOperation { id: "id", kind: "kind", status: "status" }
}

sql::columns! {
    OperationColumns -> Operation {
        id: "id",
        tenant_id: "tenant_id",
        kind: "kind",
        status: "status",
        reason: "reason",
        attempts: "attempts",
        // Rows of another table: the reader adds them.
        steps: "id" via |_: OperationId| Ok(Vec::new()),
        created_at: "created_at",
        finished_at: "finished_at",
        requested_by: "requested_by",
    }
}

sql::columns! {
    StepColumns -> OperationStep {
        name: "name",
        status: "status",
        attempts: "attempts",
        started_at: "started_at",
        finished_at: "finished_at",
        error: "error",
    }
}

/// The open operation of a tenant, if any.
pub async fn find_open(client: &impl GenericClient, tenant_id: TenantId) -> Result<Option<OpenOperation>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            OpenOperationColumns::LIST,
            " FROM operations WHERE tenant_id = $1 AND finished_at IS NULL"
        ))
        .await?;
    client.query_opt(&statement, &[&tenant_id]).await?.map(|row| OpenOperationColumns::read(&row)).transpose()
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
        .prepare_cached(sql::text!(
            "SELECT ",
            sql::qualified!("o", OperationColumns),
            ", ",
            sql::qualified!("s", StepColumns),
            " FROM (
                 SELECT * FROM operations
                 WHERE tenant_id = $1 AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
                 ORDER BY created_at DESC, id DESC LIMIT $2
             ) o
             LEFT JOIN operation_steps s ON s.operation_id = o.id
             ORDER BY o.created_at DESC, o.id DESC, s.position"
        ))
        .await?;
    let mut operations: Vec<Operation> = Vec::new();
    let limit = i64::try_from(limit.get() + 1).map_err(Error::internal)?;
    let (after, after_id) = cursor.map(|cursor| (cursor.created_at, cursor.id)).unzip();
    for row in client.query(&statement, &[&tenant_id, &limit, &after, &after_id]).await? {
        let operation = OperationColumns::read(&row)?;
        if operations.last().is_none_or(|last| last.id != operation.id) {
            operations.push(operation);
        }
        if let (Some(operation), Some(step)) =
            (operations.last_mut(), StepColumns::read_optional_at(&row, OperationColumns::COUNT)?)
        {
            operation.steps.push(step);
        }
    }
    Ok(operations)
}
