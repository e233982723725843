//! `POST /api/super-admin/reconciliations`: compare what should be with what is in every store, and repair what is safe to repair.
//!
//! A schedule invokes the function too, every minute. It goes on with reconciliations that were not finished within their request, and once
//! per interval begins one that repairs nothing, except that it removes dead letters which are of no use any more ([`continue_or_begin`]).

use std::{sync::Arc, time::Duration};

use axum::extract::{FromRef, State};
use deserr::Deserr;
use serde::Serialize;
use shared::{
    clients::{
        clusters::{MongoClusters, PostgresClusters},
        redis::Redis,
        s3::Bucket,
        sqs::Sqs,
    },
    config::{
        Clusters, ConfigError, FromEnv, MongoSettings, PostgresConfig, QueueConfig, ReconciliationConfig, RedisConfig,
        S3Config,
    },
    dead_letters::DeadLetters,
    error,
    events::dispatch::Dispatcher,
    http::{BASE_PATH, BodyErrors, Created, JsonBody, Result, Routes},
    reconciliation::{self, FindingKind, ObservedStores, Reconciler, ReconciliationReport},
    routes,
    super_admins::{AuthContext, MayOperate},
    telemetry::metrics::{self, Metric},
    tenants::TENANT_SCHEMA_VERSION,
    types::{Actor, ReconciliationId},
    worker::{Invocation, Worker},
};
use tokio::time::Instant;
use utoipa::ToSchema;

/// How long a request works on its reconciliation: less than any request may take.
const REQUEST_TIME: Duration = Duration::from_secs(5);

/// State of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub reconciler: Arc<Reconciler>,
    /// How long a request works on its reconciliation.
    pub request_time: Duration,
    pub config: ReconciliationConfig,
}

impl App {
    /// Reads the environment. Connects on first use.
    pub fn from_env() -> Result<Self, ConfigError> {
        let (postgres, mongo) = (PostgresConfig::from_env()?, MongoSettings::from_env()?);
        let (postgres_clusters, mongo_clusters) = (Clusters::postgres_from_env()?, Clusters::mongo_from_env()?);
        let auth = AuthContext::from_env()?;
        let reconciler = Reconciler {
            platform: auth.platform.clone(),
            stores: ObservedStores {
                postgres: PostgresClusters::connect(&postgres_clusters, &postgres)?,
                mongo: MongoClusters::connect(&mongo_clusters, &mongo)?,
                postgres_clusters,
                mongo_clusters,
                bucket: Bucket::connect(&S3Config::from_env()?)?,
                redis: Redis::connect(&RedisConfig::from_env()?)?,
            },
            dead_letters: DeadLetters::new(Sqs::new(), QueueConfig::from_env()?),
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
            newest_schema: TENANT_SCHEMA_VERSION,
        };
        let config = ReconciliationConfig::from_env()?;
        Ok(Self { auth, reconciler: Arc::new(reconciler), request_time: REQUEST_TIME, config })
    }
}

impl Worker for App {
    fn default_timeout(&self) -> Duration {
        Duration::from_mins(5)
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => reconcile_tenants)
}

/// What the schedule did.
#[derive(Debug, Default, Serialize)]
pub struct ScheduleReport {
    /// The reconciliation that it worked on.
    pub reconciliation_id: Option<ReconciliationId>,
    /// Whether it has ended.
    pub finished: bool,
}

/// Handles the schedule: goes on with a reconciliation that is not finished, or begins one if it is due.
pub async fn continue_or_begin(app: &App, invocation: Invocation) -> error::Result<ScheduleReport> {
    let platform = &app.reconciler.platform;
    let interrupted = reconciliation::store::find_interrupted(&platform.get().await?).await?;
    let id = if let Some(id) = interrupted {
        id
    } else {
        let client = platform.get().await?;
        let due = reconciliation::store::insert_if_due(&client, app.config.interval, Actor::SYSTEM).await?;
        let Some(id) = due else { return Ok(ScheduleReport::default()) };
        reconciliation::store::prune(&client).await?;
        id
    };
    let finished = app.reconciler.run(id, Instant::now() + invocation.deadline.remaining()).await?;
    if finished {
        report_differences(app, id).await?;
    }
    if finished && interrupted.is_none() {
        // Its findings contain them. They would otherwise make the platform's health degraded for two weeks.
        app.reconciler.dead_letters.redrive(platform, Actor::SYSTEM, false).await?;
    }
    Ok(ScheduleReport { reconciliation_id: Some(id), finished })
}

/// Reports how many databases, objects and rows are not as they should be. An alarm of the template depends on it.
async fn report_differences(app: &App, id: ReconciliationId) -> error::Result<()> {
    const DIFFERENCES: [FindingKind; 5] = [
        FindingKind::Orphan,
        FindingKind::Unknown,
        FindingKind::Missing,
        FindingKind::Misplaced,
        FindingKind::Contradiction,
    ];
    let report = reconciliation::store::find(&app.reconciler.platform.get().await?, id, None).await?;
    let counts = report.reconciliation.counts.iter().filter(|count| DIFFERENCES.contains(&count.kind));
    let count = i32::try_from(counts.map(|count| count.count).sum::<i64>()).unwrap_or(i32::MAX);
    metrics::report(&[(Metric::StoreDifferences, f64::from(count))]);
    Ok(())
}

/// What to compare and repair; may be absent.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct ReconciliationRequest {
    /// `false`: also begin the repairs that are known to be safe.
    #[deserr(default = true)]
    #[schema(required = false, default = true)]
    dry_run: bool,
}

impl Default for ReconciliationRequest {
    fn default() -> Self {
        Self { dry_run: true }
    }
}

/// Reconcile the stores
///
/// Compares the platform database with every cluster of tenants' databases, with the objects, with Redis and with the queues. Nothing is
/// repaired unless `dry_run` is `false`; then the repairs that are known to be safe are begun. What the platform database does not know is never
/// removed.
///
/// The response contains all findings if the comparison ends within 5 s. Otherwise `finished_at` is null, and the work goes on in the
/// background: read the reconciliation again until it has ended.
#[utoipa::path(
    post,
    path = "/api/super-admin/reconciliations",
    request_body(content = Option<ReconciliationRequest>, example = json!({ "dry_run": true })),
    responses(
        (status = 201, description = "The reconciliation with its findings so far", body = ReconciliationReport, headers(
            ("location" = String, description = "The path of the reconciliation"),
        )),
    ),
    security(("bearer" = []))
)]
async fn reconcile_tenants(
    MayOperate(principal): MayOperate,
    State(app): State<App>,
    body: Option<JsonBody<Option<ReconciliationRequest>>>,
) -> Result<Created<ReconciliationReport>> {
    let ReconciliationRequest { dry_run } = body.and_then(|body| body.value).unwrap_or_default();
    let platform = &app.auth.platform;
    let id = reconciliation::create(platform, dry_run, principal.actor()).await?;
    app.reconciler.run(id, Instant::now() + app.request_time).await?;
    let body = reconciliation::store::find(&platform.get().await?, id, None).await?;
    Ok(Created { body, location: Some(format!("{BASE_PATH}/reconciliations/{id}")), revision: None })
}
