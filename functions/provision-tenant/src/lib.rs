//! SQS `provision-tenant`: runs every operation on a tenant's databases.
//!
//! A message is `{"operation_id": "…", "trace_id": "…"}`. The operation decides when it is tried again, so this
//! function deletes the message after every attempt and sends another one for the next. A message that cannot be read or names no
//! operation fails alone, is delivered again, and ends in the dead-letter queue; so does one that met the platform database down.
//! The relay then wakes its operation.

pub mod process;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsMessage};
use serde::{Deserialize, de::IgnoredAny};
use shared::{
    clients::{postgres::Postgres, redis::Redis, s3::Bucket},
    config::{
        Clusters, ConfigError, FromEnv, MongoSettings, PostgresConfig, ProvisioningConfig, QueueConfig, RedisConfig,
        S3Config, ServiceLoginConfig,
    },
    error::{Error, Result},
    events::dispatch::Dispatcher,
    provisioning::{OperationOutcome, Provisioner, Stores},
    tenants::TENANT_SCHEMA_VERSION,
    types::OperationId,
    worker::{Batch, Invocation, Trigger, Worker},
};
use tokio::time::Instant;
use tracing::{error, info, warn};

/// Maximum number of messages of a batch that are processed at once.
const CONCURRENCY: usize = 5;

/// State of the function.
#[derive(Clone)]
pub struct App {
    pub provisioner: Arc<Provisioner>,
    /// Pokes the relay after an operation has ended, and sends the messages for later attempts.
    pub dispatcher: Arc<Dispatcher>,
}

impl App {
    /// Opens no connection yet.
    pub fn from_env() -> Result<Self, ConfigError> {
        let postgres = PostgresConfig::from_env()?;
        let stores = Stores::connect(
            Clusters::postgres_from_env()?,
            &postgres,
            Clusters::mongo_from_env()?,
            &MongoSettings::from_env()?,
            Bucket::connect(&S3Config::from_env()?)?,
            Redis::connect(&RedisConfig::from_env()?)?,
            &ServiceLoginConfig::from_env()?,
        )?;
        Ok(Self {
            provisioner: Arc::new(Provisioner {
                platform: Postgres::connect(&postgres)?,
                stores: Arc::new(stores),
                config: ProvisioningConfig::from_env()?,
                tenant_schema_version: TENANT_SCHEMA_VERSION,
                observer: None,
            }),
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
        })
    }
}

impl Worker for App {
    fn default_timeout(&self) -> Duration {
        self.provisioner.config.function_timeout
    }
}

/// Runs the operations that the messages of a batch name.
pub async fn handle(app: &App, Invocation { trigger, deadline }: Invocation) -> Result<SqsBatchResponse> {
    let Trigger::Queue(batch) = trigger else {
        return Err(Error::Malformed("provision-tenant can only be invoked by its queue".to_owned()));
    };
    let until = Instant::now() + deadline.remaining().min(app.provisioner.config.function_timeout);
    let ended = Arc::new(AtomicBool::new(false));
    let response = batch
        .process(CONCURRENCY, |message| {
            let (app, ended) = (app.clone(), Arc::clone(&ended));
            async move {
                let result = work(&app, &message, until).await;
                if matches!(result, MessageResult::Done { ended: true }) {
                    ended.store(true, Ordering::Relaxed);
                }
                matches!(result, MessageResult::Done { .. })
            }
        })
        .await;
    if ended.load(Ordering::Relaxed) {
        app.dispatcher.poke_relay().await;
    }
    Ok(response)
}

/// Result of processing a message.
enum MessageResult {
    /// The message is not needed any more. `ended`: whether it ended its operation.
    Done { ended: bool },
    /// The message must be delivered again.
    Retry,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationMessage {
    operation_id: OperationId,
    /// [`Batch::process`] reads it.
    #[serde(default, rename = "trace_id")]
    _trace_id: IgnoredAny,
}

async fn work(app: &App, message: &SqsMessage, deadline: Instant) -> MessageResult {
    let OperationMessage { operation_id, .. } = match Batch::read(message) {
        Ok(body) => body,
        Err(error) => {
            error!(error, "a message does not name an operation");
            return MessageResult::Retry;
        }
    };
    match app.provisioner.run(operation_id, deadline).await {
        Ok(OperationOutcome::Finished { status, now }) => {
            info!(operation.id = %operation_id, operation.status = status.as_str(), now, "the operation has ended");
            MessageResult::Done { ended: now }
        }
        Ok(OperationOutcome::Open { reason, wake_in }) => {
            warn!(operation.id = %operation_id, reason, wake_in = ?wake_in, "the operation has not ended");
            if let Some(delay) = wake_in {
                app.dispatcher.wake_operation(operation_id, delay).await;
            }
            MessageResult::Done { ended: false }
        }
        Err(Error::NotFound { .. }) => {
            error!(operation.id = %operation_id, "the operation of a message does not exist");
            MessageResult::Retry
        }
        Err(error) => {
            error!(operation.id = %operation_id, error = error.chain(), "reading the platform database failed");
            MessageResult::Retry
        }
    }
}
