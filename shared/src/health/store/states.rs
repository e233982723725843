//! The states of the components, and their changes.

use deadpool_postgres::{GenericClient, Transaction};
use time::OffsetDateTime;

use crate::{
    error::Result,
    health::{Component, ComponentChange, ComponentState, ComponentStatus},
    sql::{self, Columns},
};

/// Locks the history until the transaction ends: no other transaction changes a state or thins the samples.
pub async fn lock(transaction: &Transaction<'_>) -> Result<()> {
    let statement = transaction.prepare_cached("SELECT pg_advisory_xact_lock(hashtext('landlord health'))").await?;
    transaction.execute(&statement, &[]).await?;
    Ok(())
}

/// The state of a component.
struct StateRow {
    /// `None` if the component is no longer monitored. Such a row is skipped.
    component: Option<Component>,
    state: ComponentState,
}

sql::columns! {
    StateColumns -> StateRow {
        component: "component" via |name: &str| Ok(name.parse().ok()),
        state: ComponentState { status: "state", since: "since", recent: "recent", sampled_at: "sampled_at" },
    }
}

/// The state of each component that was ever sampled.
pub async fn list_states(client: &impl GenericClient) -> Result<Vec<(Component, ComponentState)>> {
    let statement = client.prepare_cached(sql::text!("SELECT ", StateColumns::LIST, " FROM health_states")).await?;
    let rows = client.query(&statement, &[]).await?;
    let read = |row| StateColumns::read(row).map(|StateRow { component, state }| Some((component?, state)));
    rows.iter().filter_map(|row| read(row).transpose()).collect()
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
        let ComponentState { status, since, recent, sampled_at } = state;
        transaction.execute(&statement, &[component, status, since, recent, sampled_at]).await?;
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
        transaction.execute(&statement, &[component, at, from, to, error]).await?;
    }
    Ok(())
}

/// A change of a component, which may no longer be monitored.
struct ChangeRow {
    component: Option<Component>,
    at: OffsetDateTime,
    from: ComponentStatus,
    to: ComponentStatus,
    error: Option<String>,
}

sql::columns! {
    ChangeColumns -> ChangeRow {
        component: "component" via |name: &str| Ok(name.parse().ok()),
        at: "at",
        from: "from_state",
        to: "to_state",
        error: "error",
    }
}

impl ChangeRow {
    /// `None` if the component is no longer monitored.
    fn monitored(self) -> Option<ComponentChange> {
        let Self { component, at, from, to, error } = self;
        Some(ComponentChange { component: component?, at, from, to, error })
    }
}

/// The changes since `from` of one component or of all, newest first.
pub async fn list_changes(
    client: &impl GenericClient,
    component: Option<Component>,
    from: OffsetDateTime,
    limit: i64,
) -> Result<Vec<ComponentChange>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            ChangeColumns::LIST,
            " FROM health_changes
             WHERE at >= $1 AND ($2::text IS NULL OR component = $2)
             ORDER BY at DESC, id DESC
             LIMIT $3"
        ))
        .await?;
    let rows = client.query(&statement, &[&from, &component, &limit]).await?;
    rows.iter().filter_map(|row| ChangeColumns::read(row).map(ChangeRow::monitored).transpose()).collect()
}
