//! SQL that workers run when they remove what an operation must not create again. Every write names the token of the lease, as in the
//! [journal](super::journal).

use std::time::Duration;

use deadpool_postgres::{GenericClient, Transaction};

use super::journal::require_held;
use crate::operations::{JournalError, Lease};

/// If the removal must not begin yet, gives the lease back until then, and returns how long that is.
pub async fn wait_until_due(
    client: &impl GenericClient,
    lease: Lease,
    reason: &str,
) -> Result<Option<Duration>, JournalError> {
    let statement = client
        .prepare_cached(
            "WITH held AS (
                 SELECT id, not_before, coalesce(not_before > clock_timestamp(), false) AS waits
                 FROM operations
                 WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL
                 FOR UPDATE
             ),
             waiting AS (
                 UPDATE operations o
                 SET lease_expires_at = NULL, next_attempt_at = held.not_before, fault = NULL, faults = 0, reason = $3,
                     updated_at = clock_timestamp(), revision = revision + 1
                 FROM held WHERE o.id = held.id AND held.waits
             )
             SELECT waits, greatest(coalesce(extract(epoch FROM not_before - clock_timestamp()), 0), 0)::float8 FROM held",
        )
        .await?;
    let row = client.query_opt(&statement, &[&lease.operation_id, &lease.token, &reason]).await?;
    let row = row.ok_or(JournalError::Fenced)?;
    let (waits, seconds): (bool, f64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(waits.then(|| Duration::from_secs_f64(seconds)))
}

/// Begins the removal of databases; from then on the ledger shows it. The caller has locked the tenant's row, and [`wait_until_due`] has
/// returned `None`: the time is compared again, because the server's clock may have been set back since.
pub async fn begin_removal(transaction: &Transaction<'_>, lease: Lease) -> Result<(), JournalError> {
    let statement = transaction
        .prepare_cached(
            "WITH held AS (
                 UPDATE operations SET updated_at = clock_timestamp(), revision = revision + 1
                 WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL
                     AND coalesce(not_before <= clock_timestamp(), true)
                 RETURNING id, database_name
             ),
             begun AS (
                 UPDATE tenant_databases d SET state = 'dropping', updated_at = clock_timestamp()
                 FROM held WHERE d.name = held.database_name
             )
             SELECT FROM held",
        )
        .await?;
    require_held(transaction.query(&statement, &[&lease.operation_id, &lease.token]).await?.len() as u64)
}
