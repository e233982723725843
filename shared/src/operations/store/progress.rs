//! SQL of what steps record about how far they are, so that the next worker goes on there. Every write names the token of the lease, as in the
//! [journal](super::journal).

use std::time::Duration;

use deadpool_postgres::GenericClient;
use serde_json::Value;

use super::journal::require_held;
use crate::{
    error::Result,
    operations::{JournalError, Lease, StepName},
};

/// What a step has recorded about how far it is. `None` before it has.
pub async fn find(client: &impl GenericClient, lease: Lease, step: StepName) -> Result<Option<Value>> {
    let statement =
        client.prepare_cached("SELECT progress FROM operation_steps WHERE operation_id = $1 AND name = $2").await?;
    let row = client.query_opt(&statement, &[&lease.operation_id, &step]).await?;
    row.map_or(Ok(None), |row| Ok(row.try_get(0)?))
}

/// Records how far a step is. An operation that advances is not given up: the time of its `budget` begins anew, as soon as a tenth of it has
/// passed. Not with every record, because clients see the change.
pub async fn record(
    client: &impl GenericClient,
    lease: Lease,
    step: StepName,
    progress: &Value,
    budget: Option<Duration>,
) -> Result<(), JournalError> {
    let statement = client
        .prepare_cached(
            "WITH held AS (
                 UPDATE operations
                 SET updated_at = clock_timestamp(),
                     gives_up_at = CASE WHEN gives_up_at < now() + make_interval(secs => $5::float8 * 0.9)
                         THEN now() + make_interval(secs => $5::float8) ELSE gives_up_at END,
                     revision = revision + CASE WHEN gives_up_at < now() + make_interval(secs => $5::float8 * 0.9)
                         THEN 1 ELSE 0 END
                 WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL
                 RETURNING id
             )
             UPDATE operation_steps SET progress = $4 FROM held WHERE operation_id = held.id AND name = $3",
        )
        .await?;
    let budget = budget.map(|budget| budget.as_secs_f64());
    require_held(client.execute(&statement, &[&lease.operation_id, &lease.token, &step, progress, &budget]).await?)
}

/// Has the next worker begin steps again from their start.
pub async fn restart(client: &impl GenericClient, lease: Lease, steps: &[StepName]) -> Result<(), JournalError> {
    let statement = client
        .prepare_cached(
            "WITH held AS (
                 UPDATE operations SET updated_at = clock_timestamp(), revision = revision + 1
                 WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL
                 RETURNING id
             )
             UPDATE operation_steps SET status = 'pending', progress = NULL, finished_at = NULL
             FROM held WHERE operation_id = held.id AND name = ANY($3)",
        )
        .await?;
    require_held(client.execute(&statement, &[&lease.operation_id, &lease.token, &steps]).await?)
}
