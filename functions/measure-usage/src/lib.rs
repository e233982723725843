//! SQS `measure-usage` and a schedule: keeps what the platform knows of its tenants' usage up to date.
//!
//! The schedule, each minute,
//!
//! 1. takes the live counters into the platform database, so that orders and filters go by them ([`counters`]),
//! 2. takes the tenants that are due, those that have waited longest first, and sends their ids to the queue, in messages
//!    `{"tenant_ids": ["…"]}` ([`due`]). Two runs at once take different tenants; what is lost on the way is due again,
//! 3. forgets which thresholds were passed in months long past.
//!
//! A message of the queue has each of its tenants measured in its own stores, each with a deadline of its own, several at
//! once ([`batch`], [`tenant`]). A measurement brings all figures or none: a tenant that cannot be measured keeps those that
//! it has, and says why. A message that is not ours fails alone and becomes a dead letter.
//!
//! Out: to the schedule a [`MeasureReport`], or the first error, which Lambda counts; to the queue a partial batch response.

pub mod batch;
pub mod counters;
pub mod due;
pub mod tenant;

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
    config::{
        Clusters, ConfigError, FromEnv, MeasuringConfig, MongoConfig, PostgresConfig, QueueConfig, RedisConfig,
        S3Config,
    },
    error::Result,
    types::Month,
    usage::{self, live_counters::LiveCounters},
    worker::{Deadline, Invocation, Trigger, Worker},
};

/// Passed thresholds that one statement forgets at the most.
const FORGOTTEN_AT_ONCE: i64 = 10_000;

/// What the function needs.
pub struct App {
    /// The platform database.
    pub platform: Postgres,
    /// The live counters.
    pub counters: LiveCounters,
    /// Sends to the queue.
    pub sqs: Sqs,
    /// URL of the function's own queue.
    pub queue_url: String,
    /// Where tenants are measured.
    pub stores: Stores,
    /// How often, and how long.
    pub config: MeasuringConfig,
}

/// The stores of the tenants.
pub struct Stores {
    /// The PostgreSQL clusters, as a user that may read.
    pub postgres: PostgresClusters,
    /// The MongoDB clusters, as a user that may read.
    pub mongo: MongoClusters,
    /// The bucket.
    pub bucket: Bucket,
}

impl App {
    /// Reads the environment; connects to nothing yet.
    pub fn from_env() -> Result<Self, ConfigError> {
        let postgres = PostgresConfig::from_env()?;
        Ok(Self {
            platform: Postgres::connect(&postgres)?,
            counters: LiveCounters::new(Redis::connect(&RedisConfig::from_env()?)?),
            sqs: Sqs::new(),
            queue_url: QueueConfig::from_env()?.measure.ok_or(ConfigError::Missing("MEASURE_QUEUE_URL"))?,
            stores: Stores {
                postgres: PostgresClusters::connect(&Clusters::postgres_from_env()?, &postgres)?,
                mongo: MongoClusters::connect(&Clusters::mongo_from_env()?, MongoConfig::timeout_from_env()?),
                bucket: Bucket::connect(&S3Config::from_env()?),
            },
            config: MeasuringConfig::from_env()?,
        })
    }
}

/// What a run of the schedule did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MeasureReport {
    /// Live counters that were news.
    pub counters_taken: usize,
    /// Tenants sent to the queue.
    pub tenants_queued: usize,
    /// Thresholds of months long past that were forgotten.
    pub thresholds_forgotten: u64,
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
        Trigger::Event => schedule(app, deadline).await.map(|report| json!(report)),
    }
}

/// Does all that can be done, and then says what went wrong first.
async fn schedule(app: &App, deadline: Deadline) -> Result<MeasureReport> {
    let mut report = MeasureReport::default();
    let failures = [
        counters::take(app, deadline, &mut report.counters_taken).await,
        due::queue(app, deadline, &mut report.tenants_queued).await,
        forget(app, &mut report.thresholds_forgotten).await,
    ];
    if report != MeasureReport::default() {
        tracing::info!(
            counters_taken = report.counters_taken,
            tenants_queued = report.tenants_queued,
            thresholds_forgotten = report.thresholds_forgotten,
            "usage is looked after"
        );
    }
    let mut failures = failures.into_iter().filter_map(Result::err);
    let first = failures.next();
    for further in failures {
        tracing::error!(error = further.chain(), "the schedule failed at more than one thing");
    }
    first.map_or(Ok(report), Err)
}

/// The month before this one is kept: a measurement that is late may still pass its thresholds.
async fn forget(app: &App, forgotten: &mut u64) -> Result<()> {
    let kept = Month::current().previous();
    *forgotten = usage::store::delete_before(&app.platform.get().await?, kept, FORGOTTEN_AT_ONCE).await?;
    Ok(())
}
