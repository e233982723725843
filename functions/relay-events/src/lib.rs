//! SQS `relay-events` and a schedule: delivers the pending messages of the outbox.
//!
//! A function pokes the relay through the queue after a commit (best effort; the body of the poke is ignored). The schedule
//! guarantees delivery. Each run
//!
//! 1. on the schedule, deletes stored responses that are too old to be replayed, and enqueues a new message for each
//!    operation whose message was lost,
//! 2. settles changes in tenants' databases that their requests have left open, which may enqueue messages ([`settlement`]),
//! 3. writes denials of impersonations to the deny list, at least once ([`denials`]),
//! 4. sends messages to the queue of `provision-tenant`, at least once ([`provisions`]),
//! 5. sends events to the Kafka topic, in order and exactly once ([`events`]),
//!
//! until nothing is due or its time is up. An unavailable store does not stop the messages to the others.
//!
//! A scheduled run returns a [`RelayReport`], or the first error, which Lambda's error metric counts. A poke always succeeds,
//! and its error is logged: the schedule retries within a minute, long before the queue would, and a poke in the
//! dead-letter queue would contain no information.

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
    config::{ConfigError, FromEnv, KafkaConfig, PostgresConfig, ProvisioningConfig, QueueConfig, RedisConfig},
    error::{Error, Result},
    revocations::deny_list::DenyList,
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
    deny_list: DenyList,
    provision_queue: String,
    provisioning: ProvisioningConfig,
    /// Kept between invocations until an error.
    sender: Mutex<Option<EventSender>>,
    observer: Option<BatchObserver>,
}

impl App {
    /// Reads the environment. Connects on first use.
    pub fn from_env() -> Result<Self, ConfigError> {
        let queue = QueueConfig::from_env()?.provision.ok_or(ConfigError::Missing("PROVISION_QUEUE_URL"))?;
        Ok(Self::new(
            Postgres::connect(&PostgresConfig::from_env()?)?,
            TenantDatabases::from_env()?,
            KafkaConfig::from_env()?,
            Sqs::new(),
            DenyList::new(Redis::connect(&RedisConfig::from_env()?)?),
            queue,
            ProvisioningConfig::from_env()?,
        ))
    }

    /// `provision_queue` is the URL of the queue of `provision-tenant`.
    pub fn new(
        postgres: Postgres,
        databases: TenantDatabases,
        kafka: KafkaConfig,
        sqs: Sqs,
        deny_list: DenyList,
        provision_queue: String,
        provisioning: ProvisioningConfig,
    ) -> Self {
        let (sender, observer) = (Mutex::new(None), None);
        Self { postgres, databases, kafka, sqs, deny_list, provision_queue, provisioning, sender, observer }
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
    /// Lost operations for which a new message was enqueued.
    pub operations_requeued: u64,
    /// Changes in tenants' databases that were settled.
    pub changes_settled: usize,
    /// Changes that could not be settled, mostly because the tenant's database was unavailable. They are retried.
    pub changes_deferred: usize,
    /// Denials written to the deny list.
    pub denials_written: usize,
    /// Messages sent to the queue of `provision-tenant`.
    pub provisions_sent: usize,
    /// Events sent to the topic.
    pub events_sent: usize,
    /// Stored responses deleted.
    pub responses_deleted: u64,
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
        failures.extend(maintenance::requeue_operations(app, &mut report.operations_requeued).await.err());
    }
    failures.extend(settlement::settle_due(app, deadline, &mut report).await.err());
    failures.extend(denials::write_due(app, deadline, &mut report.denials_written).await.err());
    failures.extend(provisions::send_due(app, deadline, &mut report.provisions_sent).await.err());
    failures.extend(events::send_due(app, deadline, &mut report.events_sent).await.err());
    if is_scheduled {
        failures.extend(maintenance::log_backlog(app).await.err());
        failures.extend(maintenance::log_deferred_changes(app).await.err());
    }
    if report != RelayReport::default() {
        tracing::info!(
            operations_requeued = report.operations_requeued,
            changes_settled = report.changes_settled,
            changes_deferred = report.changes_deferred,
            denials_written = report.denials_written,
            provisions_sent = report.provisions_sent,
            events_sent = report.events_sent,
            responses_deleted = report.responses_deleted,
            "delivered"
        );
    }
    let mut failures = failures.into_iter();
    let first = failures.next();
    for further in failures {
        tracing::error!(error = %further.chain(), "a further task of the relay failed");
    }
    first.map_or(Ok(report), Err)
}
