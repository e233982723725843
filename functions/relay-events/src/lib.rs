//! SQS `relay-events` and a schedule: delivers the pending messages of the outbox.
//!
//! A function pokes the relay through the queue after a commit (best effort; the body of the poke is ignored). The schedule
//! guarantees delivery. Each run
//!
//! 1. on the schedule, deletes stored responses that are too old to be replayed, removes [old rows](shared::retention), wakes the operations that are
//!    overdue, because their message was lost or their worker died, and makes the live list what the platform database contains ([`denials`]),
//! 2. settles changes in tenants' databases that their requests have left open, which may enqueue messages ([`settlement`]),
//! 3. writes denials of impersonations to the live list, at least once ([`denials`]),
//! 4. sends messages to the queue of `provision-tenant`, at least once ([`provisions`]),
//! 5. sends events to the Kafka topic, in order and exactly once ([`events`]),
//! 6. on the schedule, records which services have confirmed suspensions (`acknowledgements`),
//!
//! until nothing is due or its time is up. An unavailable store does not stop the messages to the others. While Redis fails and
//! denials are due, a run repeats 2 to 5 every second, so that an end takes effect as soon as Redis is back: the schedule begins
//! another run when the time of this one is up.
//!
//! A scheduled run returns a [`RelayReport`], or the first error, which Lambda's error metric counts. A poke always succeeds,
//! and its error is logged: the schedule retries within a minute, long before the queue would, and a poke in the
//! dead-letter queue would contain no information.

mod acknowledgements;
mod at_least_once;
pub mod denials;
mod event_sender;
mod event_topic;
pub mod events;
mod maintenance;
mod observer;
pub mod provisions;
pub mod settlement;

use std::time::Duration;

use event_sender::EventSender;
use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    clients::{postgres::Postgres, redis::Redis, sqs::Sqs, tenant_databases::TenantDatabases},
    config::{ConfigError, FromEnv, KafkaConfig, QueueConfig, RedisConfig, RetentionConfig},
    error::{Dependency, Error, Result},
    retention::RemovedRows,
    revocations::live_list::LiveList,
    worker::{Batch, Deadline, Invocation, Trigger, Worker},
};
use tokio::sync::Mutex;

pub use observer::{BatchObserver, Boundary};

/// Applies under the local runtime, which gives no deadline.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(26);

pub struct App {
    postgres: Postgres,
    databases: TenantDatabases,
    kafka: KafkaConfig,
    sqs: Sqs,
    live_list: LiveList,
    provision_queue: String,
    retention: RetentionConfig,
    /// Kept between invocations until an error.
    sender: Mutex<Option<EventSender>>,
    observer: Option<BatchObserver>,
}

impl App {
    /// Reads the environment, and the files that it names. Connects on first use.
    pub fn from_env() -> Result<Self, ConfigError> {
        let kafka = KafkaConfig::from_env()?;
        shared::clients::kafka::check(&kafka)?;
        let queue = QueueConfig::from_env()?.provision.ok_or(ConfigError::Missing("PROVISION_QUEUE_URL"))?;
        Ok(Self::new(
            Postgres::platform_from_env()?,
            TenantDatabases::from_env()?,
            kafka,
            Sqs::new(),
            LiveList::new(Redis::connect(&RedisConfig::from_env()?)?),
            queue,
        )
        .retaining(RetentionConfig::from_env()?))
    }

    /// `provision_queue` is the URL of the queue of `provision-tenant`. Rows are kept as long as by default.
    pub fn new(
        postgres: Postgres,
        databases: TenantDatabases,
        kafka: KafkaConfig,
        sqs: Sqs,
        live_list: LiveList,
        provision_queue: String,
    ) -> Self {
        let (retention, sender, observer) = (RetentionConfig::default(), Mutex::new(None), None);
        Self { postgres, databases, kafka, sqs, live_list, provision_queue, retention, sender, observer }
    }

    /// Keeps rows for these times.
    #[must_use]
    pub fn retaining(self, retention: RetentionConfig) -> Self {
        Self { retention, ..self }
    }

    /// Calls and awaits `observer` at every [`Boundary`].
    #[must_use]
    pub fn observed_by(self, observer: BatchObserver) -> Self {
        Self { observer: Some(observer), ..self }
    }

    async fn reached(&self, boundary: Boundary) {
        if let Some(observer) = &self.observer {
            observer(boundary).await;
        }
    }
}

/// The result of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RelayReport {
    /// Overdue operations for which a message was enqueued.
    pub operations_woken: u64,
    /// Changes in tenants' databases that were settled.
    pub changes_settled: usize,
    /// Changes that could not be settled, mostly because the tenant's database was unavailable. They are retried.
    pub changes_deferred: usize,
    /// Live impersonations that were missing from the live list.
    pub impersonations_restored: usize,
    /// Denials written to the live list.
    pub denials_written: usize,
    /// Messages sent to the queue of `provision-tenant`.
    pub provisions_sent: usize,
    /// Events sent to the topic.
    pub events_sent: usize,
    /// Confirmations of suspensions by services.
    pub acknowledgements_recorded: u64,
    /// Stored responses deleted.
    pub responses_deleted: u64,
    #[serde(flatten)]
    pub removed: RemovedRows,
}

impl Worker for App {
    fn default_timeout(&self) -> Duration {
        DEFAULT_TIMEOUT
    }
}

/// Runs the relay once.
pub async fn handle(app: &App, Invocation { trigger, deadline }: Invocation) -> Result<Value> {
    let is_scheduled = matches!(trigger, Trigger::Event(_));
    let result = match tokio::time::timeout(deadline.remaining(), run(app, is_scheduled, deadline)).await {
        Ok(result) => result,
        Err(_) => Err(Error::DeadlineExceeded),
    };
    match (trigger, result) {
        (Trigger::Event(_), result) => result.map(|report| json!(report)),
        (Trigger::Queue(_), result) => {
            if let Err(error) = result {
                tracing::error!(error = %error.chain(), "the relay could not deliver all messages");
            }
            Ok(json!(Batch::response([])))
        }
    }
}

/// Performs every task, even after another one failed. Returns the first error.
async fn run(app: &App, is_scheduled: bool, deadline: Deadline) -> Result<RelayReport> {
    let mut report = RelayReport::default();
    let mut failures = Vec::new();
    if is_scheduled {
        failures.extend(maintenance::prune_responses(app, deadline, &mut report.responses_deleted).await.err());
        failures.extend(maintenance::remove_old_rows(app, &mut report.removed).await);
        failures.extend(maintenance::wake_operations(app, &mut report.operations_woken).await.err());
    }
    loop {
        let mut failures_of_round = Vec::new();
        let denials = deliver(app, deadline, &mut report, &mut failures_of_round).await;
        if let Err(error @ Error::Unavailable { dependency: Dependency::Redis, .. }) = &denials
            && !deadline.is_near()
        {
            tracing::warn!(error = %error.chain(), "denials could not be written; they are tried again");
            tokio::time::sleep(denials::RETRY_INTERVAL).await;
            continue;
        }
        failures.extend(denials.err().into_iter().chain(failures_of_round));
        break;
    }
    if is_scheduled {
        // After the settlement, which may have completed a start.
        failures.extend(denials::reassert(app, &mut report.impersonations_restored).await.err());
        failures.extend(acknowledgements::collect(app, deadline, &mut report.acknowledgements_recorded).await.err());
        failures.extend(maintenance::report_backlog(app).await.err());
        failures.extend(maintenance::report_deferred_changes(app).await.err());
    }
    log(&report);
    let mut failures = failures.into_iter();
    let first = failures.next();
    for further in failures {
        tracing::error!(error = %further.chain(), "a further task of the relay failed");
    }
    first.map_or(Ok(report), Err)
}

/// Settles and delivers what is due. Returns the result for denials.
async fn deliver(app: &App, deadline: Deadline, report: &mut RelayReport, failures: &mut Vec<Error>) -> Result<()> {
    failures.extend(settlement::settle_due(app, deadline, report).await.err());
    let denials = denials::write_due(app, deadline, &mut report.denials_written).await;
    failures.extend(provisions::send_due(app, deadline, &mut report.provisions_sent).await.err());
    failures.extend(events::send_due(app, deadline, &mut report.events_sent).await.err());
    denials
}

fn log(report: &RelayReport) {
    if *report == RelayReport::default() {
        return;
    }
    tracing::info!(
        operations_woken = report.operations_woken,
        changes_settled = report.changes_settled,
        changes_deferred = report.changes_deferred,
        impersonations_restored = report.impersonations_restored,
        denials_written = report.denials_written,
        provisions_sent = report.provisions_sent,
        events_sent = report.events_sent,
        acknowledgements_recorded = report.acknowledgements_recorded,
        responses_deleted = report.responses_deleted,
        removed = ?report.removed,
        "delivered"
    );
}
