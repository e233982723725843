//! SQL of operations. [`journal`] contains the SQL that only their workers run.

pub mod breakers;
pub mod journal;
pub mod manage;
pub mod progress;
pub mod removal;

use deadpool_postgres::{GenericClient, Transaction};
use time::OffsetDateTime;
use tokio_postgres::{Row, types::ToSql};

use crate::{
    error::{Error, Result},
    operations::{OpenOperation, Operation, OperationFilter, OperationKind, OperationStep, StepName},
    sql::{self, COUNTED_ROWS, Columns, Conditions},
    telemetry::trace,
    types::{Count, OperationId, PageRequest, TenantId, Values},
};

/// An operation that is requested.
#[derive(Debug, Clone, Copy)]
pub struct NewOperation<'a> {
    pub tenant_id: TenantId,
    /// Name of the databases that it works on.
    pub database_name: &'a str,
    pub kind: OperationKind,
    /// The id of the actor.
    pub requested_by: &'a str,
}

/// Inserts a pending operation with its steps. The caller has checked, under a lock on the tenant, that no other operation
/// is open.
pub async fn insert(transaction: &Transaction<'_>, new: NewOperation<'_>, now: OffsetDateTime) -> Result<OperationId> {
    insert_with_steps(transaction, new, new.kind.steps(), now).await
}

/// As [`insert`], with other steps than those of the kind.
pub async fn insert_with_steps(
    transaction: &Transaction<'_>,
    new: NewOperation<'_>,
    steps: &[StepName],
    now: OffsetDateTime,
) -> Result<OperationId> {
    let NewOperation { tenant_id, database_name, kind, requested_by } = new;
    let id = OperationId::generate();
    let statement = transaction
        .prepare_cached(
            "WITH operation AS (
                 INSERT INTO operations (id, tenant_id, database_name, kind, status, requested_by, trace_id,
                                         created_at, updated_at, next_attempt_at, gives_up_at)
                 VALUES ($1, $2, $9, $3, 'pending', $4, $7, $5, $5, $5, $5::timestamptz + make_interval(secs => $8))
                 RETURNING id
             )
             INSERT INTO operation_steps (operation_id, position, name)
             SELECT operation.id, step.position, step.name
             FROM operation, unnest($6::text[]) WITH ORDINALITY AS step (name, position)",
        )
        .await?;
    let steps: Vec<&str> = steps.iter().map(|step| step.as_str()).collect();
    let (trace_id, budget) = (trace::current_or_new(), kind.budget().map(|budget| budget.as_secs_f64()));
    let values: [&(dyn ToSql + Sync); 9] =
        [&id, &tenant_id, &kind, &requested_by, &now, &steps, &trace_id, &budget, &database_name];
    transaction.execute(&statement, &values).await?;
    Ok(id)
}

/// Keeps the part of an operation that cannot be taken back from beginning before a time.
pub async fn set_not_before(transaction: &Transaction<'_>, id: OperationId, not_before: OffsetDateTime) -> Result<()> {
    let statement = transaction.prepare_cached("UPDATE operations SET not_before = $2 WHERE id = $1").await?;
    transaction.execute(&statement, &[&id, &not_before]).await?;
    Ok(())
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
        fault: "fault",
        next_attempt_at: "next_attempt_at",
        gives_up_at: "gives_up_at",
        finished_at: "finished_at",
        requested_by: "requested_by",
        revision: "revision",
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

/// The open operation of a tenant, if any, apart from cleanups, exports and changes of the services' access, which do not disturb it.
pub async fn find_open(client: &impl GenericClient, tenant_id: TenantId) -> Result<Option<OpenOperation>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            OpenOperationColumns::LIST,
            " FROM operations
             WHERE tenant_id = $1 AND finished_at IS NULL AND kind NOT IN ('cleanup', 'suspend', 'resume', 'export')"
        ))
        .await?;
    client.query_opt(&statement, &[&tenant_id]).await?.map(|row| OpenOperationColumns::read(&row)).transpose()
}

/// The open operation on a tenant's present databases, if any, whatever its kind is.
pub async fn find_any_open(client: &impl GenericClient, tenant_id: TenantId) -> Result<Option<OpenOperation>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            OpenOperationColumns::LIST,
            " FROM operations
             WHERE finished_at IS NULL AND database_name = (SELECT database_name FROM tenants WHERE id = $1)"
        ))
        .await?;
    client.query_opt(&statement, &[&tenant_id]).await?.map(|row| OpenOperationColumns::read(&row)).transpose()
}

/// Ends the open operations of these kinds on a tenant, because a newer one takes their place. Their workers are fenced. The caller
/// holds the lock on the tenant.
pub async fn supersede(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    kinds: &[OperationKind],
    reason: &str,
) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "WITH ended AS (
                 UPDATE operations
                 SET status = 'superseded', reason = $3, fault = NULL, lease_expires_at = NULL, next_attempt_at = NULL,
                     finished_at = clock_timestamp(), updated_at = clock_timestamp(), revision = revision + 1
                 WHERE tenant_id = $1 AND finished_at IS NULL AND kind = ANY($2)
                     -- Other databases still have to be cleaned up.
                     AND (kind <> 'cleanup' OR database_name = (SELECT database_name FROM tenants WHERE id = $1))
                 RETURNING id
             )
             DELETE FROM outbox USING ended WHERE destination = 'provision' AND message_id = ended.id",
        )
        .await?;
    transaction.execute(&statement, &[&tenant_id, &kinds, &reason]).await?;
    Ok(())
}

/// Reads operations with their steps from the rows of a query that selects [`WITH_STEPS`], one row for each step.
#[derive(Default)]
struct WithSteps(Vec<Operation>);

/// The columns of an operation `o` and one of its steps `s`.
const WITH_STEPS: &str = sql::text!(sql::qualified!("o", OperationColumns), ", ", sql::qualified!("s", StepColumns));

impl WithSteps {
    fn add(&mut self, row: &Row) -> Result<()> {
        let operation = OperationColumns::read(row)?;
        if self.0.last().is_none_or(|last| last.id != operation.id) {
            self.0.push(operation);
        }
        if let (Some(operation), Some(step)) =
            (self.0.last_mut(), StepColumns::read_optional_at(row, OperationColumns::COUNT)?)
        {
            operation.steps.push(step);
        }
        Ok(())
    }

    fn read(rows: &[Row]) -> Result<Vec<Operation>> {
        let mut read = Self::default();
        rows.iter().try_for_each(|row| read.add(row))?;
        Ok(read.0)
    }
}

/// The age in seconds of the oldest operation that has not ended, from the time at which it may end; 0 without one.
pub async fn find_oldest_open_age(client: &impl GenericClient) -> Result<f64> {
    let statement = client
        .prepare_cached(
            "SELECT greatest(coalesce(extract(epoch FROM now() - min(greatest(created_at, not_before))), 0), 0)::float8
             FROM operations WHERE finished_at IS NULL",
        )
        .await?;
    Ok(client.query_one(&statement, &[]).await?.try_get(0)?)
}

/// The operation with this id.
pub async fn find(client: &impl GenericClient, id: OperationId) -> Result<Operation> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            WITH_STEPS,
            " FROM operations o LEFT JOIN operation_steps s ON s.operation_id = o.id
             WHERE o.id = $1
             ORDER BY s.position"
        ))
        .await?;
    WithSteps::read(&client.query(&statement, &[&id]).await?)?.pop().ok_or(NOT_FOUND)
}

/// The revision of an operation.
pub async fn find_revision(client: &impl GenericClient, id: OperationId) -> Result<i64> {
    let statement = client.prepare_cached("SELECT revision FROM operations WHERE id = $1").await?;
    client.query_opt(&statement, &[&id]).await?.map_or(Err(NOT_FOUND), |row| Ok(row.try_get(0)?))
}

/// A page of operations with their steps. Contains one more operation than the limit if the list continues.
pub async fn list(client: &impl GenericClient, filter: &OperationFilter, page: PageRequest) -> Result<Vec<Operation>> {
    let limit = i64::try_from(page.limit.get() + 1).map_err(Error::internal)?;
    let mut conditions = Conditions::after(vec![&limit]);
    let statuses = filter.status.as_ref().map(Values::as_slice).unwrap_or_default();
    // The operations of one tenant are few.
    let alternatives = if statuses.len() > 1 && filter.tenant_id.is_none() {
        narrow_rest(&mut conditions, filter);
        Some(conditions.alternatives("status", "", statuses))
    } else {
        narrow(&mut conditions, filter);
        None
    };
    let order = conditions.page("created_at", "id", &page);
    let statement = client
        .prepare_cached(&format!(
            "SELECT {WITH_STEPS}
             FROM ({}) o
             LEFT JOIN operation_steps s ON s.operation_id = o.id
             ORDER BY {order}, s.position",
            conditions.page_query("SELECT * FROM operations", alternatives.as_ref(), &order)
        ))
        .await?;
    WithSteps::read(&conditions.rows(client, &statement).await?)
}

/// The number of operations.
pub async fn count(client: &impl GenericClient, filter: &OperationFilter) -> Result<Count> {
    let mut conditions = Conditions::after(vec![&COUNTED_ROWS]);
    narrow(&mut conditions, filter);
    conditions.count(client, "operations").await
}

fn narrow<'a>(conditions: &mut Conditions<'a>, filter: &'a OperationFilter) {
    if let Some(statuses) = &filter.status {
        conditions.one_of("status", "", statuses.as_slice());
    }
    narrow_rest(conditions, filter);
}

/// An open operation that meets one fault after the other, has spent its budget, or is due without that a worker takes it.
pub(crate) const IS_STUCK: &str = "finished_at IS NULL AND (faults >= 3 OR gives_up_at < now()
     OR next_attempt_at < now() - interval '2 minutes' AND coalesce(lease_expires_at < now(), true))";

fn narrow_rest<'a>(conditions: &mut Conditions<'a>, filter: &'a OperationFilter) {
    if let Some(kind) = &filter.kind {
        conditions.one_of("kind", "", std::slice::from_ref(kind));
    }
    if let Some(tenant_id) = &filter.tenant_id {
        conditions.one_of("tenant_id", "", std::slice::from_ref(tenant_id));
    }
    match filter.stuck {
        Some(true) => conditions.add(format!("({IS_STUCK})")),
        Some(false) => conditions.add(format!("({IS_STUCK}) IS NOT TRUE")),
        None => {}
    }
    conditions.created_in(&filter.created);
}

/// The newest operation of each tenant, in any order.
pub async fn list_newest_of(client: &impl GenericClient, tenants: &[TenantId]) -> Result<Vec<Operation>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            WITH_STEPS,
            " FROM unnest($1::uuid[]) AS wanted (tenant_id)
             CROSS JOIN LATERAL (
                 SELECT * FROM operations WHERE operations.tenant_id = wanted.tenant_id
                 ORDER BY created_at DESC, id DESC LIMIT 1
             ) o
             LEFT JOIN operation_steps s ON s.operation_id = o.id
             ORDER BY o.id, s.position"
        ))
        .await?;
    WithSteps::read(&client.query(&statement, &[&tenants]).await?)
}

const NOT_FOUND: Error = Error::NotFound { what: "operation" };
