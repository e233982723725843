//! The states of the components, and their changes.

use deadpool_postgres::{GenericClient, Transaction};
use time::OffsetDateTime;
use tokio_postgres::Row;

use crate::{
    error::{Error, Result},
    health::{Component, ComponentChange, ComponentState, ComponentStatus},
};

/// Locks the history until the transaction ends: no other transaction changes a state or thins the samples.
pub async fn lock(transaction: &Transaction<'_>) -> Result<()> {
    let statement = transaction.prepare_cached("SELECT pg_advisory_xact_lock(hashtext('landlord health'))").await?;
    transaction.execute(&statement, &[]).await?;
    Ok(())
}

/// The state of each component that was ever sampled.
pub async fn list_states(client: &impl GenericClient) -> Result<Vec<(Component, ComponentState)>> {
    let statement =
        client.prepare_cached("SELECT component, state, since, recent, sampled_at FROM health_states").await?;
    let rows = client.query(&statement, &[]).await?;
    let states = rows.iter().filter_map(|row| {
        // A component that is no longer monitored is skipped.
        let component = row.try_get::<_, &str>(0).ok()?.parse().ok()?;
        Some(read_state(row).map(|state| (component, state)))
    });
    states.collect()
}

/// Inserts or replaces the states of components.
pub async fn upsert_states(transaction: &Transaction<'_>, states: &[(Component, ComponentState)]) -> Result<()> {
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
        let recent: Vec<_> = state.recent.iter().map(|status| status.as_str()).collect();
        let (component, status) = (component.as_str(), state.status.as_str());
        transaction.execute(&statement, &[&component, &status, &state.since, &recent, &state.sampled_at]).await?;
    }
    Ok(())
}

pub async fn insert_changes(transaction: &Transaction<'_>, changes: &[ComponentChange]) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO health_changes (component, at, from_state, to_state, error) VALUES ($1, $2, $3, $4, $5)",
        )
        .await?;
    for ComponentChange { component, at, from, to, error } in changes {
        transaction.execute(&statement, &[&component.as_str(), at, &from.as_str(), &to.as_str(), error]).await?;
    }
    Ok(())
}

/// The changes since `from` of one component or of all, newest first.
pub async fn list_changes(
    client: &impl GenericClient,
    component: Option<Component>,
    from: OffsetDateTime,
    limit: i64,
) -> Result<Vec<ComponentChange>> {
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

fn read_state(row: &Row) -> Result<ComponentState> {
    let recent = row.try_get::<_, Vec<&str>>(3)?;
    Ok(ComponentState {
        status: status(row.try_get(1)?)?,
        since: row.try_get(2)?,
        recent: recent.into_iter().map(status).collect::<Result<_>>()?,
        sampled_at: row.try_get(4)?,
    })
}

fn read_change(row: &Row, component: Component) -> Result<ComponentChange> {
    let (from, to) = (status(row.try_get(2)?)?, status(row.try_get(3)?)?);
    Ok(ComponentChange { component, at: row.try_get(1)?, from, to, error: row.try_get(4)? })
}

fn status(text: &str) -> Result<ComponentStatus> {
    text.parse().map_err(Error::internal)
}
