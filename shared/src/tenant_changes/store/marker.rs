//! Markers: the table `changes` of a tenant's own database.

use std::collections::HashMap;

use deadpool_postgres::{GenericClient, Transaction};
use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::{error::SqlState, types::ToSql};
use uuid::Uuid;

use crate::{
    clients::postgres::Connection,
    error::{Error, Result},
    sql,
};

/// How long a settlement waits for a transaction that is about to commit the change.
const LOCK_TIMEOUT: &str = "2s";

/// The marker of a change that is being made.
#[derive(Debug)]
pub struct Marker<'a> {
    pub id: Uuid,
    pub result: Value,
    /// When the change became open, by the clock of the platform database.
    pub begun_at: OffsetDateTime,
    /// Other markers that must not be deleted.
    pub kept: &'a [Uuid],
}

/// A common table expression that deletes some old markers. It needs [`Marker::values`] as the first parameters.
pub(crate) const PRUNE: &str = "pruned AS (
    DELETE FROM changes
    WHERE id IN (
        SELECT id FROM changes
        WHERE created_at < now() - interval '1 day' AND id <> ALL ($4::uuid[])
        ORDER BY created_at LIMIT 20 FOR UPDATE SKIP LOCKED
    )
)";

/// The condition for a change to be made. Without it, a transaction could commit after its void marker was deleted. It needs
/// [`Marker::values`] as the first parameters.
pub(crate) const IN_TIME: &str = "now() < $3::timestamptz + interval '1 hour'";

impl Marker<'_> {
    /// The parameters from `$1` to `$4`.
    pub(crate) fn values(&self) -> [&(dyn ToSql + Sync); 4] {
        [&self.id, &self.result, &self.begun_at, &self.kept]
    }
}

/// Inserts the marker of a change in its transaction. [`Error::DeadlineExceeded`] if the change was settled before, or is too
/// old.
pub async fn insert(transaction: &Transaction<'_>, marker: &Marker<'_>) -> Result<()> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "WITH ",
            PRUNE,
            " INSERT INTO changes (id, result) SELECT $1::uuid, $2::jsonb WHERE ",
            IN_TIME
        ))
        .await?;
    match transaction.execute(&statement, &marker.values()).await {
        Ok(0) => Err(Error::DeadlineExceeded),
        Ok(_) => Ok(()),
        Err(error) => Err(refusal(error)),
    }
}

/// The error of a statement that inserts a marker.
pub(crate) fn refusal(error: tokio_postgres::Error) -> Error {
    let is_settled = error
        .as_db_error()
        .is_some_and(|error| *error.code() == SqlState::UNIQUE_VIOLATION && error.constraint() == Some("changes_pkey"));
    if is_settled { Error::DeadlineExceeded } else { error.into() }
}

/// Inserts a void marker, so that the change cannot be made any more. If it was made, returns its result. Waits for a
/// transaction that has inserted the marker and not ended.
pub async fn void(connection: &mut Connection, id: Uuid) -> Result<Option<Value>> {
    let transaction = connection.transaction().await?;
    let statement = transaction.prepare_cached("SELECT set_config('lock_timeout', $1, true)").await?;
    transaction.query_one(&statement, &[&LOCK_TIMEOUT]).await?;
    let statement = transaction.prepare_cached("INSERT INTO changes (id) VALUES ($1) ON CONFLICT DO NOTHING").await?;
    let is_void = transaction.execute(&statement, &[&id]).await? == 1;
    transaction.commit().await?;
    if is_void {
        return Ok(None);
    }
    // A new snapshot, which contains the row that the insertion met.
    let statement = connection.prepare_cached("SELECT result FROM changes WHERE id = $1").await?;
    Ok(connection.query_one(&statement, &[&id]).await?.try_get(0)?)
}

/// The results of those of the changes that were made, by their ids.
pub async fn list_results(client: &impl GenericClient, ids: &[Uuid]) -> Result<HashMap<Uuid, Value>> {
    let statement =
        client.prepare_cached("SELECT id, result FROM changes WHERE id = ANY($1) AND result IS NOT NULL").await?;
    let rows = client.query(&statement, &[&ids]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
