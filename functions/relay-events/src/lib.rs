//! SQS `relay-events` and a schedule: delivers what the outbox owes.
//!
//! In: a poke through the queue after a commit (best effort, its body is of no matter) or an event of the schedule (the
//! guarantee). Each run
//!
//! 1. on the schedule, deletes stored responses that are too old to be replayed, and hands operations that were lost on
//!    their way to the outbox again,
//! 2. writes denials of impersonations to the deny list that the request which owes them could not: at least once
//!    ([`denials`]),
//! 3. sends messages to the queue of `provision-tenant` that are due: at least once ([`provisions`]),
//! 4. sends events to the Kafka topic, in order, exactly once ([`events`]),
//!
//! until nothing is due or its time is up. No store that is down keeps the others' messages from being sent.
//!
//! Out: to the schedule a [`RelayReport`], or the first error, which Lambda counts. A poke is answered with success whatever
//! came of it, and the error is in the log: the schedule tries again within the minute, long before the queue would, and
//! a dead letter that says "look into the outbox" would tell an operator nothing.

mod claimed;
pub mod denials;
pub mod events;
pub mod provisions;
mod sender;
mod topic;

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use sender::Sender;
use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    clients::{postgres::Postgres, redis::Redis, sqs::Sqs},
    config::{ConfigError, FromEnv, KafkaConfig, PostgresConfig, ProvisioningConfig, QueueConfig, RedisConfig},
    error::{Error, Result},
    idempotency,
    operations::store::journal,
    revocations::DenyList,
    worker::{Batch, Deadline, Invocation, Trigger, Worker},
};
use tokio::sync::Mutex;

/// How long a run may take where Lambda does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(26);

/// Stored responses that one statement deletes at the most.
const PRUNED_AT_ONCE: i64 = 1000;

/// What the function needs.
pub struct App {
    postgres: Postgres,
    kafka: KafkaConfig,
    sqs: Sqs,
    deny_list: DenyList,
    provision_queue: String,
    provisioning: ProvisioningConfig,
    /// Kept from one invocation to the next, for as long as nothing went wrong with it.
    sender: Mutex<Option<Sender>>,
    observer: Option<BatchObserver>,
}

impl App {
    /// Reads the environment; connects to nothing yet.
    pub fn from_env() -> Result<Self, ConfigError> {
        let queue = QueueConfig::from_env()?.provision.ok_or(ConfigError::Missing("PROVISION_QUEUE_URL"))?;
        Ok(Self::new(
            Postgres::connect(&PostgresConfig::from_env()?)?,
            KafkaConfig::from_env()?,
            Sqs::new(),
            DenyList::new(Redis::connect(&RedisConfig::from_env()?)?),
            queue,
            ProvisioningConfig::from_env()?,
        ))
    }

    /// Of given parts. `provision_queue` is the URL of the queue of `provision-tenant`.
    pub fn new(
        postgres: Postgres,
        kafka: KafkaConfig,
        sqs: Sqs,
        deny_list: DenyList,
        provision_queue: String,
        provisioning: ProvisioningConfig,
    ) -> Self {
        let (sender, observer) = (Mutex::new(None), None);
        Self { postgres, kafka, sqs, deny_list, provision_queue, provisioning, sender, observer }
    }

    /// Has `observer` called, and awaited, at every [`Boundary`].
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

/// Is told where a batch of events stands. It may take its time, or never return: whoever wants to see what becomes of a
/// relay that dies, or freezes, does it there.
pub type BatchObserver = Arc<dyn Fn(Boundary) -> BoxFuture<'static, ()> + Send + Sync>;

/// Between two effects of sending a batch of events: where a relay can die with the one done and the other not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// PostgreSQL knows what is about to be sent.
    Recorded,
    /// Kafka has the messages, in an open transaction.
    Sent,
    /// Kafka has committed the transaction; the rows are still there.
    Committed,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RelayReport {
    /// Operations that were found lost and were put back into the outbox.
    pub operations_requeued: u64,
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
    let is_scheduled = matches!(trigger, Trigger::Event);
    let result = match tokio::time::timeout(deadline.remaining(), run(app, is_scheduled, deadline)).await {
        Ok(result) => result,
        Err(_) => Err(Error::DeadlineExceeded),
    };
    match (trigger, result) {
        (Trigger::Event, result) => result.map(|report| json!(report)),
        (Trigger::Queue(_), result) => {
            if let Err(error) = result {
                tracing::error!(error = %error.chain(), "the relay could not deliver everything");
            }
            Ok(json!(Batch::response([])))
        }
    }
}

/// Does all that can be done, and then says what went wrong first.
async fn run(app: &App, is_scheduled: bool, deadline: Deadline) -> Result<RelayReport> {
    let mut report = RelayReport::default();
    let mut failures = Vec::new();
    if is_scheduled {
        failures.extend(prune(app, deadline, &mut report).await.err());
        failures.extend(requeue(app, &mut report).await.err());
    }
    failures.extend(denials::write_due(app, deadline, &mut report.denials_written).await.err());
    failures.extend(provisions::send_due(app, deadline, &mut report.provisions_sent).await.err());
    failures.extend(events::send_due(app, deadline, &mut report.events_sent).await.err());
    if is_scheduled {
        failures.extend(tell_backlog(app).await.err());
    }
    if report != RelayReport::default() {
        tracing::info!(
            operations_requeued = report.operations_requeued,
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
        tracing::error!(error = %further.chain(), "the relay failed at more than one thing");
    }
    first.map_or(Ok(report), Err)
}

/// How long an operation may be untouched before its message counts as lost. The queue gives a message that was not
/// finished again after six timeouts of the function; one timeout more, and nobody is coming.
fn lost_after(provisioning: &ProvisioningConfig) -> Duration {
    provisioning.function_timeout * 7
}

async fn requeue(app: &App, report: &mut RelayReport) -> Result<()> {
    let connection = app.postgres.get().await?;
    report.operations_requeued = journal::requeue_stuck(&connection, lost_after(&app.provisioning)).await?;
    Ok(())
}

async fn prune(app: &App, deadline: Deadline, report: &mut RelayReport) -> Result<()> {
    let connection = app.postgres.get().await?;
    while !deadline.is_near() {
        let count = idempotency::store::delete_expired(&connection, PRUNED_AT_ONCE).await?;
        report.responses_deleted += count;
        if count < PRUNED_AT_ONCE.unsigned_abs() {
            break;
        }
    }
    Ok(())
}

/// Says what is still owed: nothing, on a good day.
async fn tell_backlog(app: &App) -> Result<()> {
    let backlog = shared::events::store::backlog(&app.postgres.get().await?).await?;
    if backlog.refused > 0 {
        tracing::error!(
            outbox.refused = backlog.refused,
            "events wait that Kafka refused; the later ones of their subjects too"
        );
    }
    if backlog.rows > 0 {
        let (rows, oldest_seconds) = (backlog.rows, backlog.oldest_seconds);
        tracing::info!(outbox.rows = rows, outbox.oldest_seconds = oldest_seconds, "messages wait in the outbox");
    }
    Ok(())
}
