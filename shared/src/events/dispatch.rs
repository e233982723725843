//! Delivery right after a commit, so that a change takes effect before the relay's next scheduled run. Best effort: a failure
//! is logged and nothing is lost, because the message is in the outbox.

use std::time::Duration;

use deadpool_postgres::GenericClient;

use super::{provision_message, store};
use crate::{
    clients::sqs::Sqs,
    config::QueueConfig,
    error::{Error, Result},
    telemetry::trace,
    types::OperationId,
};

/// Sends to the queues of the workers.
pub struct Dispatcher {
    sqs: Sqs,
    queues: QueueConfig,
}

impl Dispatcher {
    /// Connects on first use.
    pub fn new(queues: QueueConfig) -> Self {
        Self { sqs: Sqs::new(), queues }
    }

    /// Sends the message about a committed operation, and deletes it from the outbox. When this fails, the relay sends it.
    pub async fn send_provision(&self, client: &impl GenericClient, operation_id: OperationId) {
        if let Err(error) = self.try_send_provision(client, operation_id).await {
            tracing::warn!(operation.id = %operation_id, error = %error.chain(), "sending failed; the relay will send it");
        }
    }

    /// Wakes the relay after a commit that enqueued messages. When this fails, the relay's schedule delivers them.
    pub async fn poke_relay(&self) {
        let Some(queue_url) = &self.queues.relay else { return };
        if let Err(error) = self.sqs.send(queue_url, r#"{"poke":true}"#).await {
            tracing::warn!(error = %error.chain(), "poking the relay failed");
        }
    }

    /// Sends the message about an operation whose next attempt is due in `delay`. When this fails, the relay wakes the operation some
    /// time after it is due.
    pub async fn wake_operation(&self, operation_id: OperationId, delay: Duration) {
        if let Err(error) = self.send_operation(operation_id, delay).await {
            tracing::warn!(operation.id = %operation_id, error = %error.chain(), "sending failed; the relay will send it");
        }
    }

    async fn try_send_provision(&self, client: &impl GenericClient, operation_id: OperationId) -> Result<()> {
        self.send_operation(operation_id, Duration::ZERO).await?;
        store::delete_provision(client, operation_id).await
    }

    async fn send_operation(&self, operation_id: OperationId, delay: Duration) -> Result<()> {
        let queue_url =
            self.queues.provision.as_deref().ok_or_else(|| Error::internal("PROVISION_QUEUE_URL is not set"))?;
        let message = provision_message(operation_id, trace::current_or_new()).to_string();
        self.sqs.send_later(queue_url, &message, delay).await
    }
}
