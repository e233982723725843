//! `GET /api/super-admin/health`: the health of the platform. The status code serves load balancers; a caller without a token
//! gets the status only, and a super-admin the full report. A schedule invokes the function too, to record the report
//! ([`record`]).

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRef, State},
    response::Response,
};
use serde::Serialize;
use shared::{
    config::{ConfigError, FromEnv},
    error::{self, Error},
    health::checks::{
        Freshness, HealthChecker, HealthReport, HealthStatus, HealthTargets, MaxAge, RecordedHealth, Recorder,
    },
    http::{IfNoneMatch, Query, Result, Routes, availability, json_unless_known},
    query_parameters, routes,
    super_admins::{AuthContext, Caller},
    telemetry::metrics::{self, Metric},
    worker::{Invocation, Worker},
};
use utoipa::ToSchema;

/// How long the check of the caller's rights may take. The report is needed most when the platform database is down.
const AUTHORIZATION_TIMEOUT: Duration = Duration::from_millis(500);

/// The dependencies of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub checker: HealthChecker,
    pub recorder: Arc<Recorder>,
}

impl App {
    /// Reads the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::new(&HealthTargets::from_env()?, AuthContext::from_env()?)
    }

    pub fn new(targets: &HealthTargets, auth: AuthContext) -> Result<Self, ConfigError> {
        let recorder = Recorder::connect(auth.platform.clone(), &targets.redis, &targets.redis_prefix)?;
        Ok(Self { auth, checker: HealthChecker::connect(targets)?, recorder: Arc::new(recorder) })
    }
}

impl Worker for App {
    fn default_timeout(&self) -> Duration {
        Duration::from_secs(15)
    }
}

/// Handles the schedule: makes a report, reports its status as a metric, and records it.
pub async fn record(app: &App, _: Invocation) -> error::Result<RecordedHealth> {
    let report = app.checker.report(Freshness::Live).await?;
    let state = match report.status {
        HealthStatus::Healthy => 0.0,
        HealthStatus::Degraded => 1.0,
        HealthStatus::Unhealthy => 2.0,
    };
    metrics::report(&[(Metric::HealthState, state)]);
    app.recorder.record(&report).await
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => check_health)
}

query_parameters! {
    /// Which report is requested.
    struct HealthParameters {
        /// `true`: probe all components now, even if a recent report exists
        live: Option<bool>,
        /// The greatest age of the report in seconds, 30 by default
        max_age: Option<MaxAge>,
    }
}

/// The body of the response.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum HealthResponse<'a> {
    /// For a super-admin.
    Full(&'a HealthReport),
    /// For a caller without a token.
    Summary(PublicHealth),
}

/// The health of the platform for a caller without a token.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PublicHealth {
    /// The status of the platform as a whole.
    status: HealthStatus,
}

/// System health check
///
/// The status of the infrastructure, of the platform's microservices and of the channels' providers, and the number of
/// tenants. All components are probed at once, unless a report no older than `max_age` exists. The status code serves load
/// balancers. Without a bearer token, the response contains `status` only. A client that shows the report repeats the request with the
/// entity tag of the last response in `If-None-Match`, and gets 304 until another report exists; `unhealthy` is always 503 with the report.
#[utoipa::path(
    get,
    path = "/api/super-admin/health",
    params(HealthParameters, IfNoneMatch),
    responses(
        (status = 200, description = "`healthy` or `degraded`. Without a bearer token, the response contains `status` only", body = HealthResponse,
            headers(("etag" = String, description = "The report, for If-None-Match"))),
        (status = 304, description = "The newest report still has the entity tag in If-None-Match",
            headers(("etag" = String, description = "The report, for If-None-Match"))),
        (status = 503, description = "`unhealthy`: a store or queue is down; the same report", body = HealthResponse),
    ),
    security((), ("bearer" = []))
)]
async fn check_health(
    caller: Option<Caller>,
    Query(parameters): Query<HealthParameters>,
    if_none_match: IfNoneMatch,
    State(auth): State<AuthContext>,
    State(checker): State<HealthChecker>,
) -> Result<Response> {
    let freshness = parameters.freshness();
    // Probing is expensive, so an anonymous caller gets the latest report only.
    if caller.is_none() && freshness.is_some() {
        return Err(Error::NoCredentials.into());
    }
    let freshness = freshness.unwrap_or_default();
    let authorize = async {
        match &caller {
            Some(caller) => caller.refuse_if_known(&auth.platform, AUTHORIZATION_TIMEOUT).await,
            None => Ok(()),
        }
    };
    let (authorized, report) = futures::join!(authorize, checker.report(freshness));
    authorized?;
    let report = report?;
    let response = match caller {
        Some(_) => HealthResponse::Full(&report),
        None => HealthResponse::Summary(PublicHealth { status: report.status }),
    };
    if !report.is_available() {
        // A load balancer that sends the tag of an earlier report must still learn that the platform is down.
        return Ok(availability(false, &response)?);
    }
    Ok(json_unless_known(serde_json::to_vec(&response).map_err(Error::internal)?, &if_none_match))
}

impl HealthParameters {
    /// How fresh the report must be, if the request specifies it.
    fn freshness(&self) -> Option<Freshness> {
        match (self.live, self.max_age) {
            (Some(true), _) => Some(Freshness::Live),
            (_, Some(max_age)) => Some(Freshness::Within(max_age.duration())),
            (Some(false), None) => Some(Freshness::default()),
            (None, None) => None,
        }
    }
}
