//! SQS. Messages carry ids only.

use std::time::Duration;

use aws_sdk_sqs::{Client, types::SendMessageBatchRequestEntry};
use tokio::sync::OnceCell;

use crate::clients::aws::Attempts;
use crate::error::{Dependency, Error, Result};

/// SQS; its client is made at first use, as most requests of most functions never send.
pub struct Sqs {
    attempts: Attempts,
    client: OnceCell<Client>,
}

impl Sqs {
    /// Connects to nothing yet. A call gives up after 2 s.
    pub fn new() -> Self {
        Self::with(Attempts::new(Duration::from_secs(1), 2))
    }

    /// As [`Self::new`], with other deadlines.
    pub fn with(attempts: Attempts) -> Self {
        Self { attempts, client: OnceCell::new() }
    }

    /// Sends one message. Gives up soon: what must not be lost is in the outbox too.
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

    /// Sends several messages, 10 at the most, in one request. An error means that one or more were not accepted.
    pub async fn send_batch(&self, queue_url: &str, bodies: &[String]) -> Result<()> {
        let entry = |(index, body): (usize, &String)| {
            SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(body).build()
        };
        let entries = bodies.iter().enumerate().map(entry).collect::<Result<_, _>>().map_err(Error::internal)?;
        let request = self.client().await.send_message_batch().queue_url(queue_url).set_entries(Some(entries));
        let answer = request.send().await.map_err(|error| Error::unavailable(Dependency::Sqs, error))?;
        match answer.failed() {
            [] => Ok(()),
            failed => {
                let why =
                    format!("{} of {} messages were not accepted: {}", failed.len(), bodies.len(), failed[0].code());
                Err(Error::unavailable(Dependency::Sqs, why))
            }
        }
    }

    /// The SDK's client.
    pub async fn client(&self) -> &Client {
        self.client.get_or_init(|| async { Client::new(&self.attempts.load().await) }).await
    }
}

impl Default for Sqs {
    fn default() -> Self {
        Self::new()
    }
}
