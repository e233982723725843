//! SQS. Messages carry ids only.

use std::time::Duration;

use aws_sdk_sqs::Client;
use tokio::sync::OnceCell;

use crate::error::{Dependency, Error, Result};

/// SQS; its client is made at first use, as most requests of most functions never send.
#[derive(Default)]
pub struct Sqs {
    client: OnceCell<Client>,
}

impl Sqs {
    /// Connects to nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends one message. Gives up after 2 s: what must not be lost is in the outbox too.
    pub async fn send(&self, queue_url: &str, body: &str) -> Result<()> {
        self.client()
            .await
            .send_message()
            .queue_url(queue_url)
            .message_body(body)
            .send()
            .await
            .map(drop)
            .map_err(|error| Error::unavailable(Dependency::Sqs, error))
    }

    async fn client(&self) -> &Client {
        self.client.get_or_init(|| async { Client::new(&super::aws::load(Duration::from_secs(1), 2).await) }).await
    }
}
