//! Use case: record the samples of one or more minutes.

use deadpool_postgres::Transaction;

use crate::{
    clients::postgres::Connection,
    error::Result,
    events::{self, Event, EventType},
    health::{ComponentChange, ComponentState, MinuteSamples, store},
};

/// The result of recording samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordedSamples {
    /// Samples that were not recorded before.
    pub samples: usize,
    /// Components whose state changed.
    pub changes: usize,
}

/// Records the samples of `minutes`, oldest first, in one transaction: the samples, the states of their components, the
/// changes of those states, and one event per change. A sample of a component and minute that is already recorded is
/// ignored, so that concurrent and repeated runs record each minute once.
pub async fn record_samples(
    platform: &mut Connection,
    minutes: impl IntoIterator<Item = &MinuteSamples>,
) -> Result<RecordedSamples> {
    let mut recorded = RecordedSamples::default();
    let transaction = platform.transaction().await?;
    // Also keeps the events of one component in the order of its changes.
    store::lock(&transaction).await?;
    for minute in minutes {
        record_minute(&transaction, minute, &mut recorded).await?;
    }
    transaction.commit().await?;
    Ok(recorded)
}

async fn record_minute(
    transaction: &Transaction<'_>,
    minute: &MinuteSamples,
    recorded: &mut RecordedSamples,
) -> Result<()> {
    let new = store::insert_samples(transaction, minute.at, &minute.samples).await?;
    let previous = store::list_states(transaction).await?;
    let (mut states, mut changes) = (Vec::new(), Vec::new());
    for sample in &new {
        let component = sample.component;
        let earlier = previous.iter().find(|(of, _)| *of == component).map(|(_, state)| state);
        let state = ComponentState::after(earlier, minute.at, sample.status);
        if let Some(earlier) = earlier.filter(|earlier| earlier.status != state.status) {
            let (at, error) = (minute.at, sample.error.clone());
            changes.push(ComponentChange { component, at, from: earlier.status, to: state.status, error });
        }
        states.push((component, state));
    }
    store::upsert_states(transaction, &states).await?;
    store::insert_changes(transaction, &changes).await?;
    for change in &changes {
        tracing::info!(health.component = %change.component, from = change.from.as_str(), to = change.to.as_str(), "health changed");
        events::store::enqueue_event(transaction, &Event::new(EventType::HealthChanged, change.component, change))
            .await?;
    }
    recorded.samples += new.len();
    recorded.changes += changes.len();
    Ok(())
}
