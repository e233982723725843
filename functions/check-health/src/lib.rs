//! `GET /api/super-admin/health`: how the platform is. A load balancer is told by the status code, anyone by one word, and a
//! super-admin by the whole report. A schedule invokes it too: what it finds then is written down ([`record`]).

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRef, State},
    response::Response,
};
use serde::Serialize;
use shared::{
    config::{ConfigError, FromEnv},
    error::{self, Error},
    health::{Freshness, Health, HealthReport, Recorded, Recorder, Sources, Status},
    http::{QueryReader, Result, Routes, availability},
    routes,
    super_admins::{AuthContext, Caller},
    worker::{Invocation, Worker},
};
use utoipa::ToSchema;

/// How old a report may be, unless said.
const MAX_AGE: Duration = Duration::from_secs(30);

/// How long the platform database may take to say what the caller may do. When it is down, the report is wanted most.
const PATIENCE: Duration = Duration::from_millis(500);

/// How old a request may let it be.
const LONGEST_MAX_AGE: u64 = 3600;

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// Who may do what, and the platform database.
    pub gate: AuthContext,
    /// Makes reports.
    pub health: Health,
    /// Writes down what they found.
    pub recorder: Arc<Recorder>,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::new(&Sources::from_env()?, AuthContext::from_env()?)
    }

    /// Of given parts.
    pub fn new(sources: &Sources, gate: AuthContext) -> Result<Self, ConfigError> {
        let recorder = Recorder::connect(gate.platform.clone(), &sources.redis, &sources.redis_prefix)?;
        Ok(Self { gate, health: Health::connect(sources)?, recorder: Arc::new(recorder) })
    }
}

impl Worker for App {
    fn default_timeout(&self) -> Duration {
        Duration::from_secs(15)
    }
}

/// The schedule's part: makes a report and writes down what it found.
pub async fn record(app: &App, _: Invocation) -> error::Result<Recorded> {
    let report = app.health.report(Freshness::Live).await?;
    app.recorder.record(&report).await
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => check_health)
}

/// What is told of the platform's health.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Told<'a> {
    /// To a super-admin.
    Everything(&'a HealthReport),
    /// To anyone.
    OneWord(PublicHealth),
}

/// What anyone may know.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PublicHealth {
    /// The whole in one word.
    status: Status,
}

/// System health check
///
/// The infrastructure, the platform's microservices, the providers behind the channels, and how many tenants there are.
/// Everything is looked at at once, unless it was within `max_age`. A load balancer is told by the status code; anyone
/// without a bearer token is told the whole in one word.
#[utoipa::path(
    get,
    path = "/api/super-admin/health",
    params(
        ("live" = Option<bool>, Query, description = "`true`: everything is looked at now, whatever was found before"),
        ("max_age" = Option<u16>, Query, minimum = 0, maximum = 3600,
            description = "How many seconds old the report may be, 30 unless said"),
    ),
    responses(
        (status = 200, description = "`healthy` or `degraded`. Without a bearer token only `status` is told", body = Told),
        (status = 503, description = "`unhealthy`: a store or queue is down; the same report", body = Told),
    ),
    security((), ("bearer" = []))
)]
async fn check_health(
    caller: Option<Caller>,
    query: QueryReader,
    State(gate): State<AuthContext>,
    State(health): State<Health>,
) -> Result<Response> {
    let freshness = read(query)?;
    // To have everything looked at costs more than to be told what is known.
    if caller.is_none() && freshness.is_some() {
        return Err(Error::NoCredentials.into());
    }
    let freshness = freshness.unwrap_or(Freshness::Within(MAX_AGE));
    let refuse = async {
        match &caller {
            Some(caller) => caller.refuse_if_known(&gate.platform, PATIENCE).await,
            None => Ok(()),
        }
    };
    let (refused, report) = futures::join!(refuse, health.report(freshness));
    refused?;
    let report = report?;
    let told = match caller {
        Some(_) => Told::Everything(&report),
        None => Told::OneWord(PublicHealth { status: report.status }),
    };
    Ok(availability(report.is_available(), &told)?)
}

/// How new the report has to be, where the request says.
fn read(mut query: QueryReader) -> Result<Option<Freshness>, Error> {
    let live = query.take("live", str::parse::<bool>);
    let max_age = query.take("max_age", |text| match text.parse() {
        Ok(seconds) if seconds <= LONGEST_MAX_AGE => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("must be an integer from 0 to {LONGEST_MAX_AGE}")),
    });
    query.finish()?;
    Ok(match (live, max_age) {
        (Some(true), _) => Some(Freshness::Live),
        (_, Some(max_age)) => Some(Freshness::Within(max_age)),
        (Some(false), None) => Some(Freshness::Within(MAX_AGE)),
        (None, None) => None,
    })
}
