//! `GET /api/super-admin/health/history`: the states, changes and uptime of the platform's components.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{
    error::Error,
    health::{self, Component, ComponentChange, ComponentRecord, ComponentStatus, ListHistory, SampleRow, Uptime},
    http::{QueryReader, Result, Routes},
    routes,
    super_admins::{AuthContext, MayRead},
    types::{optional_timestamp, timestamp},
};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

/// The default and the greatest length of the history. Samples are kept for 30 days.
const DEFAULT_HOURS: i64 = 24;
const MAX_HOURS: i64 = 720;

/// The function's one route.
pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_health_history)
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
    params(
        ("component" = Option<Component>, Query, description = "Only this component, with its samples"),
        ("hours" = Option<u16>, Query, minimum = 1, maximum = 720, description = "The length of the history in hours, 24 by default"),
    ),
    responses(
        (status = 200, description = "States, changes and uptime of each component", body = HealthHistory),
    ),
    security(("bearer" = []))
)]
async fn list_health_history(reader: MayRead, query: QueryReader) -> Result<Response> {
    let (component, hours) = read(query)?;
    let to = OffsetDateTime::now_utc();
    let from = to - Duration::hours(hours);
    let query = ListHistory { component, from };
    let records = reader.admit(health::list_history(reader.client(), &query)).await?;
    let components = records.into_iter().map(ComponentHistory::from);
    let history = HealthHistory { from, to, components: components.collect() };
    let body = serde_json::to_vec(&history).map_err(Error::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

fn read(mut query: QueryReader) -> Result<(Option<Component>, i64), Error> {
    let component = query.take("component", str::parse);
    let hours = query.take("hours", |text| match text.parse() {
        Ok(hours) if (1..=MAX_HOURS).contains(&hours) => Ok(hours),
        _ => Err(format!("must be an integer from 1 to {MAX_HOURS}")),
    });
    query.finish()?;
    Ok((component, hours.unwrap_or(DEFAULT_HOURS)))
}
