//! `GET /api/super-admin/health/history`: how the platform's components have been.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{
    error::Error,
    health::{
        self, Component, Condition,
        store::{Change, StoredSample},
    },
    http::{QueryReader, Result, Routes},
    routes,
    super_admins::{AuthContext, MayRead},
    types::{optional_timestamp, timestamp},
};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

/// How far back it goes, unless said, and at the most: samples are kept for 30 days.
const HOURS: i64 = 24;
const MOST_HOURS: i64 = 720;

/// Changes that are shown at the most, the newest: more than a component can go through that changes every other minute.
const MOST_CHANGES: i64 = 20_000;

/// The function's one route.
pub fn routes(gate: AuthContext) -> Routes {
    routes!(gate: AuthContext => list_health_history)
}

/// How the components have been for some time.
#[derive(Serialize, ToSchema)]
struct HealthHistory {
    /// When that time begins.
    #[serde(serialize_with = "timestamp")]
    from: OffsetDateTime,
    /// When it ends: now.
    #[serde(serialize_with = "timestamp")]
    to: OffsetDateTime,
    /// The components, `system` first.
    components: Vec<ComponentHistory>,
}

/// How a component has been.
#[derive(Serialize, ToSchema)]
struct ComponentHistory {
    /// Which.
    component: Component,
    /// How it is held to be: what two of its last three samples say. `null` where there never was one.
    state: Option<Condition>,
    /// Since when.
    #[serde(serialize_with = "optional_timestamp")]
    since: Option<OffsetDateTime>,
    /// The share of samples that found it up or degraded, 0 to 1; `null` without any.
    uptime: Option<f64>,
    /// How many samples there are.
    samples_total: i64,
    /// When it came to stand elsewhere, newest first.
    changes: Vec<StateChange>,
    /// The samples, oldest first; of one component alone. Those that are a day old and older are told in tens of minutes,
    /// after seven days in hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<Vec<StoredSample>>,
}

/// A component came to stand elsewhere.
#[derive(Serialize, ToSchema)]
struct StateChange {
    /// When.
    #[serde(serialize_with = "timestamp")]
    at: OffsetDateTime,
    /// From where.
    from: Condition,
    /// To where.
    to: Condition,
    /// What was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<Change> for StateChange {
    fn from(change: Change) -> Self {
        Self { at: change.at, from: change.from, to: change.to, error: change.error }
    }
}

/// Health history
///
/// How each component has been over the last hours: its state, its changes and its uptime; of one component the samples too.
#[utoipa::path(
    get,
    path = "/api/super-admin/health/history",
    params(
        ("component" = Option<Component>, Query, description = "Only this component, with its samples"),
        ("hours" = Option<u16>, Query, minimum = 1, maximum = 720, description = "How far back, 24 unless said"),
    ),
    responses(
        (status = 200, description = "States, changes and uptime of each component", body = HealthHistory),
    ),
    security(("bearer" = []))
)]
async fn list_health_history(reader: MayRead, query: QueryReader) -> Result<Response> {
    let (only, hours) = read(query)?;
    let to = OffsetDateTime::now_utc();
    let from = to - Duration::hours(hours);
    let client = reader.client();
    let states = reader.admit(health::store::list_states(client)).await?;
    let uptimes = health::store::list_uptimes(client, only, from).await?;
    let mut changes = health::store::list_changes(client, only, from, MOST_CHANGES).await?;
    let mut samples = match only {
        Some(component) => Some(health::store::list_samples(client, component, from).await?),
        None => None,
    };
    let components = Component::ALL.into_iter().filter(|component| only.is_none_or(|only| only == *component));
    let components = components.map(|component| {
        let state = states.iter().find(|(of, _)| *of == component).map(|(_, state)| state);
        let uptime = uptimes.iter().find(|(of, _)| *of == component).map(|(_, uptime)| *uptime);
        let own = changes.extract_if(.., |change| change.component == component);
        ComponentHistory {
            component,
            state: state.map(|state| state.condition),
            since: state.map(|state| state.since),
            uptime: uptime.map(health::store::Uptime::share),
            samples_total: uptime.map_or(0, |uptime| uptime.total),
            changes: own.map(StateChange::from).collect(),
            samples: samples.take(),
        }
    });
    let history = HealthHistory { from, to, components: components.collect() };
    let body = serde_json::to_vec(&history).map_err(Error::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

fn read(mut query: QueryReader) -> Result<(Option<Component>, i64), Error> {
    let component = query.take("component", str::parse);
    let hours = query.take("hours", |text| match text.parse() {
        Ok(hours) if (1..=MOST_HOURS).contains(&hours) => Ok(hours),
        _ => Err(format!("must be an integer from 1 to {MOST_HOURS}")),
    });
    query.finish()?;
    Ok((component, hours.unwrap_or(HOURS)))
}
