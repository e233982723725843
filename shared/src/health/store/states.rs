//! Where each component stands, and when that changed.

use deadpool_postgres::{GenericClient, Transaction};
use serde::Serialize;
use time::OffsetDateTime;
use tokio_postgres::Row;

use crate::{
    error::{Error, Result},
    health::{Component, Condition},
    types::timestamp,
};

/// Where a component stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// How it is held to be.
    pub condition: Condition,
    /// Since when.
    pub since: OffsetDateTime,
    /// What the last samples said, newest first, three at the most.
    pub recent: Vec<Condition>,
    /// When the last of them was taken.
    pub sampled_at: OffsetDateTime,
}

/// A component that came to stand elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Which.
    pub component: Component,
    /// When.
    #[serde(serialize_with = "timestamp")]
    pub at: OffsetDateTime,
    /// From where.
    pub from: Condition,
    /// To where.
    pub to: Condition,
    /// What was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Keeps others from moving any state until the transaction ends.
pub async fn lock(transaction: &Transaction<'_>) -> Result<()> {
    let statement = transaction.prepare_cached("SELECT pg_advisory_xact_lock(hashtext('landlord health'))").await?;
    transaction.execute(&statement, &[]).await?;
    Ok(())
}

/// Where each component stands that was ever sampled.
pub async fn list_states(client: &impl GenericClient) -> Result<Vec<(Component, State)>> {
    let statement =
        client.prepare_cached("SELECT component, state, since, recent, sampled_at FROM health_states").await?;
    let rows = client.query(&statement, &[]).await?;
    let states = rows.iter().filter_map(|row| {
        // A component that is no longer watched.
        let component = row.try_get::<_, &str>(0).ok()?.parse().ok()?;
        Some(read_state(row).map(|state| (component, state)))
    });
    states.collect()
}

/// Writes down where components stand.
pub async fn upsert_states(transaction: &Transaction<'_>, states: &[(Component, State)]) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO health_states (component, state, since, recent, sampled_at)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (component) DO UPDATE
             SET state = excluded.state, since = excluded.since, recent = excluded.recent,
                 sampled_at = excluded.sampled_at",
        )
        .await?;
    for (component, state) in states {
        let recent: Vec<_> = state.recent.iter().map(|condition| condition.as_str()).collect();
        let (component, condition) = (component.as_str(), state.condition.as_str());
        transaction.execute(&statement, &[&component, &condition, &state.since, &recent, &state.sampled_at]).await?;
    }
    Ok(())
}

/// Writes changes down.
pub async fn insert_changes(transaction: &Transaction<'_>, changes: &[Change]) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO health_changes (component, at, from_state, to_state, error) VALUES ($1, $2, $3, $4, $5)",
        )
        .await?;
    for Change { component, at, from, to, error } in changes {
        transaction.execute(&statement, &[&component.as_str(), at, &from.as_str(), &to.as_str(), error]).await?;
    }
    Ok(())
}

/// Changes since a moment, of all components or of one, newest first.
pub async fn list_changes(
    client: &impl GenericClient,
    component: Option<Component>,
    from: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Change>> {
    let statement = client
        .prepare_cached(
            "SELECT component, at, from_state, to_state, error
             FROM health_changes
             WHERE at >= $1 AND ($2::text IS NULL OR component = $2)
             ORDER BY at DESC, id DESC
             LIMIT $3",
        )
        .await?;
    let rows = client.query(&statement, &[&from, &component.map(Component::as_str), &limit]).await?;
    let changes = rows.iter().filter_map(|row| {
        let component = row.try_get::<_, &str>(0).ok()?.parse().ok()?;
        Some(read_change(row, component))
    });
    changes.collect()
}

fn read_state(row: &Row) -> Result<State> {
    let recent = row.try_get::<_, Vec<&str>>(3)?;
    Ok(State {
        condition: condition(row.try_get(1)?)?,
        since: row.try_get(2)?,
        recent: recent.into_iter().map(condition).collect::<Result<_>>()?,
        sampled_at: row.try_get(4)?,
    })
}

fn read_change(row: &Row, component: Component) -> Result<Change> {
    let (from, to) = (condition(row.try_get(2)?)?, condition(row.try_get(3)?)?);
    Ok(Change { component, at: row.try_get(1)?, from, to, error: row.try_get(4)? })
}

fn condition(text: &str) -> Result<Condition> {
    text.parse().map_err(Error::internal)
}
