//! Keeps the stored usage of tenants up to date. Triggers: a schedule, every minute, and the SQS queue `measure-usage`.
//!
//! The schedule
//!
//! 1. copies the live counters into the platform database ([`usage::count_messages`]),
//! 2. sends the tenants that are due for measurement to the queue ([`measuring::enqueue_due`]),
//! 3. deletes the thresholds of past months ([`usage::forget_thresholds`]) and old daily figures ([`usage::forget_days`]),
//! 4. records the clusters, unless `provision-tenant` has done that ([`clusters::record`]).
//!
//! A message of the queue names tenants, which are measured in their own stores, several at once ([`batch`]). Each store
//! is measured for itself: if one fails, its figures stay, the reason is recorded, and the tenant's next measurements leave it out for a time
//! that doubles with each failure. While a cluster fails for every tenant, its circuit breaker lets only one of them try it from
//! time to time. The tenant's rows of the user directory are compared with its database, and repaired. A malformed message fails alone
//! and becomes a dead letter.
//!
//! Output: a [`MeasureReport`] or the first error for the schedule, and a partial batch response for the queue.

pub mod batch;

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    clients::{
        clusters::{MongoClusters, PostgresClusters},
        postgres::Postgres,
        redis::Redis,
        s3::Bucket,
        sqs::Sqs,
    },
    clusters::{self, ClusterLists},
    config::{
        Clusters, ConfigError, FromEnv, MeasuringConfig, MongoSettings, PostgresConfig, QueueConfig, RedisConfig,
        S3Config,
    },
    error::Result,
    usage::{
        self, MeasurementIntervals,
        live_counters::LiveCounters,
        measuring::{self, MeasureQueue, MeasuredStores},
    },
    worker::{Deadline, Invocation, Trigger, Worker},
};

/// The dependencies of the function.
pub struct App {
    pub platform: Postgres,
    pub counters: LiveCounters,
    pub sqs: Sqs,
    /// URL of the queue that triggers this function.
    pub queue_url: String,
    /// The stores that contain the tenants' data.
    pub stores: MeasuredStores,
    pub config: MeasuringConfig,
    /// The same stores, which are recorded until `provision-tenant` records its own.
    pub clusters: ClusterLists,
}

impl App {
    /// Reads the environment. Opens no connection.
    pub fn from_env() -> Result<Self, ConfigError> {
        let postgres = PostgresConfig::from_env()?;
        let clusters = ClusterLists { postgres: Clusters::postgres_from_env()?, mongo: Clusters::mongo_from_env()? };
        Ok(Self {
            platform: Postgres::connect(&postgres)?,
            counters: LiveCounters::new(Redis::connect(&RedisConfig::from_env()?)?),
            sqs: Sqs::new(),
            queue_url: QueueConfig::from_env()?.measure.ok_or(ConfigError::Missing("MEASURE_QUEUE_URL"))?,
            stores: MeasuredStores {
                postgres: PostgresClusters::connect(&clusters.postgres, &postgres)?,
                mongo: MongoClusters::connect(&clusters.mongo, &MongoSettings::from_env()?)?,
                bucket: Bucket::connect(&S3Config::from_env()?)?,
            },
            config: MeasuringConfig::from_env()?,
            clusters,
        })
    }

    pub(crate) fn intervals(&self) -> MeasurementIntervals {
        MeasurementIntervals {
            active: self.config.active_interval,
            suspended: self.config.suspended_interval,
            retry: self.config.retry_interval,
            objects: self.config.objects_interval,
        }
    }
}

/// The result of a scheduled run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MeasureReport {
    /// Live counters that changed.
    pub counters_taken: usize,
    pub tenants_queued: usize,
    /// Deleted thresholds of past months.
    pub thresholds_forgotten: u64,
    /// Deleted daily figures.
    pub days_forgotten: u64,
}

impl Worker for App {
    fn default_timeout(&self) -> Duration {
        self.config.function_timeout
    }
}

/// Handles messages of the queue, or the schedule.
pub async fn handle(app: &Arc<App>, Invocation { trigger, deadline }: Invocation) -> Result<Value> {
    match trigger {
        Trigger::Queue(batch) => Ok(json!(batch::work(app, batch, deadline).await)),
        Trigger::Event(_) => schedule(app, deadline).await.map(|report| json!(report)),
    }
}

/// Runs every part, even when another one fails, and returns the first error.
async fn schedule(app: &App, deadline: Deadline) -> Result<MeasureReport> {
    let mut report = MeasureReport::default();
    let failures = [
        count(app, deadline, &mut report.counters_taken).await,
        enqueue(app, deadline, &mut report.tenants_queued).await,
        forget(app, &mut report.thresholds_forgotten).await,
        forget_days(app, &mut report.days_forgotten).await,
        clusters::record(&app.platform, &app.clusters, false).await,
    ];
    if report != MeasureReport::default() {
        tracing::info!(
            counters_taken = report.counters_taken,
            tenants_queued = report.tenants_queued,
            thresholds_forgotten = report.thresholds_forgotten,
            days_forgotten = report.days_forgotten,
            "usage updated"
        );
    }
    let mut failures = failures.into_iter().filter_map(Result::err);
    let first = failures.next();
    for further in failures {
        tracing::error!(error = further.chain(), "the scheduled run failed in more than one part");
    }
    first.map_or(Ok(report), Err)
}

async fn count(app: &App, deadline: Deadline, changed: &mut usize) -> Result<()> {
    usage::count_messages(&mut app.platform.get().await?, &app.counters, deadline, changed).await
}

async fn enqueue(app: &App, deadline: Deadline, queued: &mut usize) -> Result<()> {
    let queue = MeasureQueue { sqs: &app.sqs, url: &app.queue_url };
    measuring::enqueue_due(&app.platform.get().await?, &queue, deadline, queued).await
}

async fn forget(app: &App, forgotten: &mut u64) -> Result<()> {
    *forgotten = usage::forget_thresholds(&app.platform.get().await?).await?;
    Ok(())
}

async fn forget_days(app: &App, forgotten: &mut u64) -> Result<()> {
    *forgotten = usage::forget_days(&app.platform.get().await?, app.config.kept_days).await?;
    Ok(())
}
