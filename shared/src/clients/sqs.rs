//! SQS. Messages contain only ids.

use std::time::Duration;

use aws_sdk_sqs::{Client, types::SendMessageBatchRequestEntry};
use tokio::sync::OnceCell;

use crate::clients::aws::Attempts;
use crate::error::{Dependency, Error, Result};

/// The longest delay that SQS supports.
const MAX_DELAY_SECONDS: u128 = 900;

/// SQS. Its client is created at first use, because most requests send no message.
pub struct Sqs {
    attempts: Attempts,
    client: OnceCell<Client>,
}

impl Sqs {
    /// Opens no connection yet. A call fails after at most 2 s.
    pub fn new() -> Self {
        Self::with(Attempts::new(Duration::from_secs(1), 2))
    }

    /// As [`Self::new`], with other deadlines.
    pub fn with(attempts: Attempts) -> Self {
        Self { attempts, client: OnceCell::new() }
    }

    /// Sends one message. Fails soon, because messages that must not be lost are in the outbox too.
    pub async fn send(&self, queue_url: &str, body: &str) -> Result<()> {
        self.send_later(queue_url, body, Duration::ZERO).await
    }

    /// Sends one message that the queue delivers after `delay`, rounded up to seconds, or after 15 minutes if it is longer.
    pub async fn send_later(&self, queue_url: &str, body: &str, delay: Duration) -> Result<()> {
        let seconds = delay.as_millis().div_ceil(1000).min(MAX_DELAY_SECONDS);
        self.client()
            .await
            .send_message()
            .queue_url(queue_url)
            .message_body(body)
            .delay_seconds(i32::try_from(seconds).unwrap_or_default())
            .send()
            .await
            .map(drop)
            .map_err(|error| Error::unavailable(Dependency::Sqs, error))
    }

    /// Sends at most 10 messages in one request. An error means that at least one was not accepted.
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
                let reason =
                    format!("{} of {} messages were not accepted: {}", failed.len(), bodies.len(), failed[0].code());
                Err(Error::unavailable(Dependency::Sqs, reason))
            }
        }
    }

    pub async fn client(&self) -> &Client {
        self.client.get_or_init(|| async { Client::new(&self.attempts.load().await) }).await
    }
}

impl Default for Sqs {
    fn default() -> Self {
        Self::new()
    }
}
