//! SQS. Messages contain only ids.

use std::time::Duration;

use aws_sdk_sqs::{
    Client,
    types::{MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry},
};
use time::OffsetDateTime;
use tokio::sync::OnceCell;

use crate::clients::aws::Attempts;
use crate::error::{Dependency, Error, Result};

/// The longest delay that SQS supports.
const MAX_DELAY_SECONDS: u128 = 900;

/// A message that was received, and is hidden from others for a while.
#[derive(Debug, Clone)]
pub struct ReceivedMessage {
    pub id: String,
    /// What a deletion names.
    pub receipt: String,
    pub body: String,
    /// When it was first sent to a queue; a dead letter keeps the time of the original.
    pub sent_at: Option<OffsetDateTime>,
}

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

    /// The URL of the queue for the dead letters of a queue. `None` if it has none.
    pub async fn find_dead_letter_queue(&self, queue_url: &str) -> Result<Option<String>> {
        let client = self.client().await;
        let request =
            client.get_queue_attributes().queue_url(queue_url).attribute_names(QueueAttributeName::RedrivePolicy);
        let answer = request.send().await.map_err(|error| Error::unavailable(Dependency::Sqs, error))?;
        let policy = answer.attributes().and_then(|attributes| attributes.get(&QueueAttributeName::RedrivePolicy));
        let Some(arn) = policy.and_then(|policy| dead_letter_queue(policy)) else { return Ok(None) };
        let request = client.get_queue_url().queue_name(arn.rsplit(':').next().unwrap_or_default());
        let answer = request.send().await.map_err(|error| Error::unavailable(Dependency::Sqs, error))?;
        Ok(answer.queue_url)
    }

    /// Receives at most 10 messages, without waiting for any, and hides them from others for `hidden`.
    pub async fn receive(&self, queue_url: &str, hidden: Duration) -> Result<Vec<ReceivedMessage>> {
        let request = self
            .client()
            .await
            .receive_message()
            .queue_url(queue_url)
            .max_number_of_messages(10)
            .wait_time_seconds(0)
            .visibility_timeout(i32::try_from(hidden.as_secs()).unwrap_or_default())
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
        let answer = request.send().await.map_err(|error| Error::unavailable(Dependency::Sqs, error))?;
        let read = |message: aws_sdk_sqs::types::Message| {
            let sent_at = message.attributes().and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp));
            let milliseconds = sent_at.and_then(|text| text.parse::<i128>().ok());
            let sent_at = milliseconds
                .and_then(|milliseconds| OffsetDateTime::from_unix_timestamp_nanos(milliseconds * 1_000_000).ok());
            Some(ReceivedMessage {
                sent_at,
                id: message.message_id?,
                receipt: message.receipt_handle?,
                body: message.body?,
            })
        };
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(read).collect())
    }

    /// Deletes a received message.
    pub async fn delete(&self, queue_url: &str, message: &ReceivedMessage) -> Result<()> {
        let request = self.client().await.delete_message().queue_url(queue_url).receipt_handle(&message.receipt);
        request.send().await.map(drop).map_err(|error| Error::unavailable(Dependency::Sqs, error))
    }

    /// Shows a received message to others again.
    pub async fn show(&self, queue_url: &str, message: &ReceivedMessage) -> Result<()> {
        let client = self.client().await;
        let request = client.change_message_visibility().queue_url(queue_url).receipt_handle(&message.receipt);
        let answer = request.visibility_timeout(0).send().await;
        answer.map(drop).map_err(|error| Error::unavailable(Dependency::Sqs, error))
    }

    pub async fn client(&self) -> &Client {
        self.client.get_or_init(|| async { Client::new(&self.attempts.load().await) }).await
    }
}

/// The ARN of the queue that a redrive policy names.
pub fn dead_letter_queue(policy: &str) -> Option<String> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    policy["deadLetterTargetArn"].as_str().map(ToOwned::to_owned)
}

impl Default for Sqs {
    fn default() -> Self {
        Self::new()
    }
}
