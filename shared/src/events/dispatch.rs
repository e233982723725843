//! Sending at once what a commit owes, so that nobody waits for the relay. Best effort: what fails here is in the outbox.

use deadpool_postgres::GenericClient;
use serde_json::json;

use crate::{
    clients::sqs::Sqs,
    config::QueueConfig,
    error::{Error, Result},
    events,
    types::OperationId,
};

/// Sends to the queues of the workers.
pub struct Dispatcher {
    sqs: Sqs,
    queues: QueueConfig,
}

impl Dispatcher {
    /// Connects to nothing yet.
    pub fn new(queues: QueueConfig) -> Self {
        Self { sqs: Sqs::new(), queues }
    }

    /// Sends the message about an operation that is committed, and strikes it from the outbox. When that fails, the relay
    /// sends it.
    pub async fn provision(&self, client: &impl GenericClient, operation_id: OperationId) {
        if let Err(error) = self.try_provision(client, operation_id).await {
            tracing::warn!(operation.id = %operation_id, error = %error.chain(), "left to the relay");
        }
    }

    /// Tells the relay that there is something in the outbox. When that fails, its schedule finds it.
    pub async fn poke_relay(&self) {
        let Some(queue_url) = &self.queues.relay else { return };
        if let Err(error) = self.sqs.send(queue_url, r#"{"poke":true}"#).await {
            tracing::warn!(error = %error.chain(), "the relay could not be poked");
        }
    }

    async fn try_provision(&self, client: &impl GenericClient, operation_id: OperationId) -> Result<()> {
        let queue_url =
            self.queues.provision.as_deref().ok_or_else(|| Error::internal("PROVISION_QUEUE_URL is not set"))?;
        self.sqs.send(queue_url, &json!({ "operation_id": operation_id }).to_string()).await?;
        events::store::delete_provision(client, operation_id).await
    }
}
