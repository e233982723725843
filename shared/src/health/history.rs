//! Use case: list the history of components.

use time::{Duration, OffsetDateTime};

use crate::{
    clients::postgres::Connection,
    error::Result,
    health::{Component, ComponentChange, ComponentState, SampleRow, Uptime, store},
    types::{FaultCode, InvalidValue},
};

/// The greatest number of returned changes, the newest: more than a component has that changes every other minute.
const MAX_CHANGES: i64 = 20_000;

/// The length of a history in hours: 1–720, by default 24. Samples are kept for 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryHours(u16);

inline_schema!(HistoryHours, Integer { format: "int32", minimum: 1, maximum: HistoryHours::MAX });
inline_parameter!(HistoryHours, HistoryHours::parse);

impl HistoryHours {
    pub const MAX: u16 = 720;

    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text.parse() {
            Ok(hours) if (1..=Self::MAX).contains(&hours) => Ok(Self(hours)),
            _ => Err(InvalidValue::new(FaultCode::OutOfRange, format!("must be an integer from 1 to {}", Self::MAX))),
        }
    }

    pub fn duration(self) -> Duration {
        Duration::hours(self.0.into())
    }
}

impl Default for HistoryHours {
    fn default() -> Self {
        Self(24)
    }
}

/// Which history to list.
#[derive(Debug, Clone, Copy)]
pub struct ListHistory {
    /// Only this component, with its samples.
    pub component: Option<Component>,
    /// The beginning of the history.
    pub from: OffsetDateTime,
}

/// The history of a component.
#[derive(Debug, Clone)]
pub struct ComponentRecord {
    pub component: Component,
    /// `None` if the component was never sampled.
    pub state: Option<ComponentState>,
    /// `None` without samples.
    pub uptime: Option<Uptime>,
    /// Newest first.
    pub changes: Vec<ComponentChange>,
    /// Oldest first; `None` unless one component is listed.
    pub samples: Option<Vec<SampleRow>>,
}

/// Returns the history of all components, or of one, in the order of [`Component::ALL`].
pub async fn list_history(platform: &Connection, query: &ListHistory) -> Result<Vec<ComponentRecord>> {
    let ListHistory { component: only, from } = *query;
    let mut states = store::list_states(platform).await?;
    let uptimes = store::list_uptimes(platform, only, from).await?;
    let mut changes = store::list_changes(platform, only, from, MAX_CHANGES).await?;
    let mut samples = match only {
        Some(component) => Some(store::list_samples(platform, component, from).await?),
        None => None,
    };
    let components = Component::ALL.into_iter().filter(|component| only.is_none_or(|only| only == *component));
    let records = components.map(|component| ComponentRecord {
        component,
        state: states.extract_if(.., |(of, _)| *of == component).next().map(|(_, state)| state),
        uptime: uptimes.iter().find(|(of, _)| *of == component).map(|(_, uptime)| *uptime),
        changes: changes.extract_if(.., |change| change.component == component).collect(),
        samples: samples.take(),
    });
    Ok(records.collect())
}
