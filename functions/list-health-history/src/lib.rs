//! `GET /api/super-admin/health/history`: the states, changes and uptime of the platform's components.

use serde::Serialize;
use shared::{
    health::{
        self, Component, ComponentChange, ComponentRecord, ComponentStatus, HistoryHours, ListHistory, SampleRow,
        Uptime,
    },
    http::{Json, Query, Result, Routes},
    query_parameters, routes,
    super_admins::{AuthContext, MayRead},
    types::{optional_timestamp, timestamp},
};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// The function's one route.
pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_health_history)
}

query_parameters! {
    /// Which history is requested.
    struct HistoryParameters {
        /// Only this component, with its samples
        component: Option<Component>,
        /// The length of the history in hours, 24 by default
        hours: Option<HistoryHours>,
    }
}

/// The history of the components over a period.
#[derive(Serialize, ToSchema)]
struct HealthHistory {
    /// The beginning of the period.
    #[serde(serialize_with = "timestamp")]
    from: OffsetDateTime,
    /// The end of the period: now.
    #[serde(serialize_with = "timestamp")]
    to: OffsetDateTime,
    /// The components, `system` first.
    components: Vec<ComponentHistory>,
}

/// The history of a component.
#[derive(Serialize, ToSchema)]
struct ComponentHistory {
    /// The component.
    component: Component,
    /// The current state: the status of two of the last three samples. `null` if no sample exists.
    state: Option<ComponentStatus>,
    /// When the current state began.
    #[serde(serialize_with = "optional_timestamp")]
    since: Option<OffsetDateTime>,
    /// The share of samples with the status `up` or `degraded`, 0 to 1; `null` without samples.
    uptime: Option<f64>,
    /// The number of samples.
    samples_total: i64,
    /// The changes of the state, newest first.
    changes: Vec<StateChange>,
    /// The samples, oldest first, if one component is requested. From an age of a day, the samples of ten minutes are one
    /// row; from an age of seven days, those of an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<Vec<SampleRow>>,
}

/// A change of a component's state.
#[derive(Serialize, ToSchema)]
struct StateChange {
    /// The time of the change.
    #[serde(serialize_with = "timestamp")]
    at: OffsetDateTime,
    /// The previous state.
    from: ComponentStatus,
    /// The new state.
    to: ComponentStatus,
    /// The problem, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<ComponentRecord> for ComponentHistory {
    fn from(record: ComponentRecord) -> Self {
        let ComponentRecord { component, state, uptime, changes, samples } = record;
        Self {
            component,
            state: state.as_ref().map(|state| state.status),
            since: state.as_ref().map(|state| state.since),
            uptime: uptime.map(Uptime::share),
            samples_total: uptime.map_or(0, |uptime| uptime.total),
            changes: changes.into_iter().map(StateChange::from).collect(),
            samples,
        }
    }
}

impl From<ComponentChange> for StateChange {
    fn from(change: ComponentChange) -> Self {
        Self { at: change.at, from: change.from, to: change.to, error: change.error }
    }
}

/// Health history
///
/// The state, the changes and the uptime of each component over the last hours. For one component also its samples.
#[utoipa::path(
    get,
    path = "/api/super-admin/health/history",
    params(HistoryParameters),
    responses(
        (status = 200, description = "States, changes and uptime of each component", body = HealthHistory),
    ),
    security(("bearer" = []))
)]
async fn list_health_history(
    reader: MayRead,
    Query(HistoryParameters { component, hours }): Query<HistoryParameters>,
) -> Result<Json<HealthHistory>> {
    let to = OffsetDateTime::now_utc();
    let from = to - hours.unwrap_or_default().duration();
    let query = ListHistory { component, from };
    let records = reader.admit(health::list_history(reader.client(), &query)).await?;
    let components = records.into_iter().map(ComponentHistory::from);
    Ok(Json(HealthHistory { from, to, components: components.collect() }))
}
