//! `provision-tenant`, the worker behind the queue of the same name: every operation on a tenant's databases runs here.
//!
//! A message is `{"operation_id": "…"}`. What cannot be read, or names no operation, fails alone and becomes a dead letter;
//! so does what has to be delivered again. The answer is a partial batch response.

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

/// How many messages of a batch are worked on at once.
const AT_ONCE: usize = 5;

/// What the function needs.
#[derive(Clone)]
pub struct App {
    /// Runs operations.
    pub provisioner: Arc<Provisioner>,
    /// Where the relay is poked.
    pub sqs: Arc<Sqs>,
    /// The relay's queue.
    pub relay_queue_url: Option<String>,
}

impl App {
    /// Reads the environment; connects to nothing yet.
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

    /// Works on a batch, until shortly before `deadline`; a deadline that is past is that of a runtime that gives none, and
    /// the function's own timeout takes its place.
    pub async fn handle(&self, batch: SqsEvent, deadline: SystemTime) -> SqsBatchResponse {
        let lasts = match deadline.duration_since(SystemTime::now()) {
            Ok(lasts) if !lasts.is_zero() => lasts.min(self.provisioner.config.function_timeout),
            _ => self.provisioner.config.function_timeout,
        };
        let deadline = Instant::now() + lasts.saturating_sub(RESERVE);
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let mut records = JoinSet::new();
        let mut waiting = Vec::new();
        for message in batch.records {
            let id = message.message_id.clone().unwrap_or_default();
            let (provisioner, permits) = (Arc::clone(&self.provisioner), Arc::clone(&permits));
            let span = info_span!("message", message.id = id);
            // A task of its own, so that a panic is its own too.
            let task = records.spawn(
                async move {
                    let _permit = permits.acquire().await;
                    record(&provisioner, &message, deadline).await
                }
                .instrument(span),
            );
            waiting.push((task.id(), id));
        }
        let (mut ended, mut again) = (false, Vec::new());
        while let Some(result) = records.join_next_with_id().await {
            let task = match result {
                Ok((_, Verdict::Done { now })) => {
                    ended |= now;
                    continue;
                }
                Ok((task, Verdict::Again)) => task,
                Err(panic) => {
                    error!(error = %panic, "a message was not worked on to its end");
                    panic.id()
                }
            };
            again.extend(waiting.iter().find(|(id, _)| *id == task).map(|(_, message)| message.clone()));
        }
        if ended {
            self.poke_relay().await;
        }
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = again.into_iter().map(failure).collect();
        response
    }

    /// Events wait in the outbox; the relay need not wait for its schedule. What is lost here comes a minute later.
    async fn poke_relay(&self) {
        if let Some(url) = &self.relay_queue_url
            && let Err(error) = self.sqs.send(url, r#"{"poke":true}"#).await
        {
            warn!(error = error.chain(), "the relay could not be poked");
        }
    }
}

/// What is left of an invocation to answer, and to poke the relay.
const RESERVE: Duration = Duration::from_secs(1);

/// What the queue is told about a message.
enum Verdict {
    /// It has done its work; `now` when its operation ended with it.
    Done { now: bool },
    /// It has to come again.
    Again,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    operation_id: OperationId,
}

async fn record(provisioner: &Provisioner, message: &SqsMessage, deadline: Instant) -> Verdict {
    let body = message.body.as_deref().unwrap_or_default();
    let Body { operation_id } = match serde_json::from_str(body) {
        Ok(body) => body,
        Err(error) => {
            // Not repeated: it is not ours, so nobody knows what it holds.
            error!(%error, "a message is not about an operation");
            return Verdict::Again;
        }
    };
    let last = receive_count(message) >= provisioner.config.max_attempts;
    match provisioner.run(operation_id, Delivery { deadline, last }).await {
        Ok(Outcome::Finished { status, now }) => {
            info!(operation.id = %operation_id, operation.status = status.as_str(), now, "the operation is over");
            Verdict::Done { now }
        }
        Ok(Outcome::Retry(reason)) => {
            warn!(operation.id = %operation_id, reason, "the message has to come again");
            Verdict::Again
        }
        Err(Error::NotFound { .. }) => {
            error!(operation.id = %operation_id, "a message names no operation of this platform");
            Verdict::Again
        }
        Err(error) => {
            error!(operation.id = %operation_id, error = error.chain(), "the platform database could not be asked");
            Verdict::Again
        }
    }
}

/// How often the queue has given this message out.
fn receive_count(message: &SqsMessage) -> i32 {
    message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1)
}

fn failure(message_id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = message_id;
    failure
}
