//! SQS `provision-tenant`: the worker that runs the operations on tenants' databases.
//!
//! A message is `{"operation_id": "…"}`. The response is a partial batch response: it lists the messages that the queue must
//! deliver again. These are messages whose operation has not ended, and messages that cannot be parsed or whose operation does
//! not exist, which end as dead letters.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use serde::Deserialize;
use shared::{
    clients::{postgres::Postgres, s3::Bucket, sqs::Sqs},
    config::{Clusters, ConfigError, FromEnv, MongoConfig, PostgresConfig, ProvisioningConfig, QueueConfig, S3Config},
    error::Error,
    provisioning::{Delivery, Outcome, Provisioner, Stores},
    types::OperationId,
};
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};
use tracing::{Instrument, error, info, info_span, warn};

/// Maximum number of messages of a batch that are processed at once.
const MAX_CONCURRENCY: usize = 5;

/// State of the function.
#[derive(Clone)]
pub struct App {
    pub provisioner: Arc<Provisioner>,
    pub sqs: Arc<Sqs>,
    pub relay_queue_url: Option<String>,
}

impl App {
    /// Opens no connection yet.
    pub fn from_env() -> Result<Self, ConfigError> {
        let postgres = PostgresConfig::from_env()?;
        let stores = Stores::connect(
            Clusters::postgres_from_env()?,
            &postgres,
            Clusters::mongo_from_env()?,
            MongoConfig::timeout_from_env()?,
            Bucket::connect(&S3Config::from_env()?),
        )?;
        Ok(Self {
            provisioner: Arc::new(Provisioner {
                platform: Postgres::connect(&postgres)?,
                stores: Arc::new(stores),
                config: ProvisioningConfig::from_env()?,
                observer: None,
            }),
            sqs: Arc::new(Sqs::new()),
            relay_queue_url: QueueConfig::from_env()?.relay,
        })
    }

    /// Processes a batch, until shortly before `deadline`. The local runtime sends a deadline in the past; the function's
    /// configured timeout then applies.
    pub async fn handle(&self, batch: SqsEvent, deadline: SystemTime) -> SqsBatchResponse {
        let time_left = match deadline.duration_since(SystemTime::now()) {
            Ok(time_left) if !time_left.is_zero() => time_left.min(self.provisioner.config.function_timeout),
            _ => self.provisioner.config.function_timeout,
        };
        let deadline = Instant::now() + time_left.saturating_sub(RESPONSE_MARGIN);
        let permits = Arc::new(Semaphore::new(MAX_CONCURRENCY));
        let mut tasks = JoinSet::new();
        let mut message_ids = Vec::new();
        for message in batch.records {
            let id = message.message_id.clone().unwrap_or_default();
            let (provisioner, permits) = (Arc::clone(&self.provisioner), Arc::clone(&permits));
            let span = info_span!("message", message.id = id);
            // Each message has its own task, so that a panic fails only that message.
            let task = tasks.spawn(
                async move {
                    let _permit = permits.acquire().await;
                    process(&provisioner, &message, deadline).await
                }
                .instrument(span),
            );
            message_ids.push((task.id(), id));
        }
        let (mut any_ended, mut failures) = (false, Vec::new());
        while let Some(result) = tasks.join_next_with_id().await {
            let task = match result {
                Ok((_, Disposition::Delete { ended })) => {
                    any_ended |= ended;
                    continue;
                }
                Ok((task, Disposition::Redeliver)) => task,
                Err(panic) => {
                    error!(error = %panic, "processing a message panicked");
                    panic.id()
                }
            };
            failures.extend(message_ids.iter().find(|(id, _)| *id == task).map(|(_, message)| message.clone()));
        }
        if any_ended {
            self.poke_relay().await;
        }
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = failures.into_iter().map(failure).collect();
        response
    }

    /// The outbox contains new events. If this fails, the relay finds them a minute later, by its schedule.
    async fn poke_relay(&self) {
        if let Some(url) = &self.relay_queue_url
            && let Err(error) = self.sqs.send(url, r#"{"poke":true}"#).await
        {
            warn!(error = error.chain(), "poking the relay failed");
        }
    }
}

/// Time that is reserved for poking the relay and for the response.
const RESPONSE_MARGIN: Duration = Duration::from_secs(1);

/// What the queue does with a message.
enum Disposition {
    /// `ended`: whether this delivery ended the operation.
    Delete {
        ended: bool,
    },
    Redeliver,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    operation_id: OperationId,
}

async fn process(provisioner: &Provisioner, message: &SqsMessage, deadline: Instant) -> Disposition {
    let body = message.body.as_deref().unwrap_or_default();
    let Body { operation_id } = match serde_json::from_str(body) {
        Ok(body) => body,
        Err(error) => {
            // The log does not contain the body, because it may hold anything.
            error!(%error, "a message does not name an operation");
            return Disposition::Redeliver;
        }
    };
    let is_last = receive_count(message) >= provisioner.config.max_attempts;
    match provisioner.run(operation_id, Delivery { deadline, is_last }).await {
        Ok(Outcome::Finished { status, now }) => {
            info!(operation.id = %operation_id, operation.status = status.as_str(), now, "the operation has ended");
            Disposition::Delete { ended: now }
        }
        Ok(Outcome::Retry(reason)) => {
            warn!(operation.id = %operation_id, reason, "the message must be delivered again");
            Disposition::Redeliver
        }
        Err(Error::NotFound { .. }) => {
            error!(operation.id = %operation_id, "the operation of a message does not exist");
            Disposition::Redeliver
        }
        Err(error) => {
            error!(operation.id = %operation_id, error = error.chain(), "reading the platform database failed");
            Disposition::Redeliver
        }
    }
}

/// Number of times that the queue has delivered this message.
fn receive_count(message: &SqsMessage) -> i32 {
    message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1)
}

fn failure(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}
