//! An event source mapping from an SQS queue to a function, with partial batch responses.
//!
//! Batches are received by long poll and handed over, several at once up to a limit. What succeeded is deleted. What
//! failed is left alone: its visibility timeout ends, SQS delivers it again, and after the queue's own maximum of
//! deliveries moves it to the queue's own dead letters.

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use aws_lambda_events::{
    encodings::Base64Data,
    event::sqs::{SqsEvent, SqsMessage, SqsMessageAttribute},
};
use aws_sdk_sqs::{
    Client,
    error::DisplayErrorContext,
    primitives::Blob,
    types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName},
};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    batch::{Outcome, outcome},
    invoke::{Invoke, InvokeError},
};

/// The region in events.
pub const REGION: &str = "us-east-1";
/// The account in events.
pub const ACCOUNT: &str = "000000000000";

/// The most messages that SQS hands out or deletes at once.
const SQS_AT_ONCE: i32 = 10;
/// How long SQS may wait for a message before it answers with none: as long as it can.
const LONG_POLL: i32 = 20;
/// Pauses while SQS or the functions are away, from the first to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What is to be mapped.
#[derive(Clone, Debug)]
pub struct EventSource {
    /// The queue.
    pub queue_url: String,
    /// The function.
    pub function: String,
    /// The most messages in an invocation (`BatchSize`).
    pub batch_size: usize,
    /// The most invocations at once (`ScalingConfig: MaximumConcurrency`).
    pub max_concurrency: usize,
    /// How long to wait for a batch to fill (`MaximumBatchingWindowInSeconds`).
    pub batching_window: Duration,
    /// When an invocation is given up, and its whole batch with it.
    pub function_timeout: Duration,
}

/// Runs the mapping until `shutdown`, and then until the invocations that are under way have ended.
///
/// Neither a queue nor functions that are away end it: it waits for them.
pub async fn run(
    source: EventSource,
    sqs: Client,
    invoker: Arc<impl Invoke>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let mapping = Arc::new(Mapping { source, sqs, invoker });
    let free = Arc::new(Semaphore::new(mapping.source.max_concurrency));
    let mut invocations = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let received = async {
            let permit = Arc::clone(&free).acquire_owned().await;
            (permit, mapping.receive().await)
        };
        let (permit, messages) = tokio::select! {
            received = received => received,
            () = &mut shutdown => break,
        };
        while invocations.try_join_next().is_some() {}
        if !messages.is_empty() {
            let mapping = Arc::clone(&mapping);
            invocations.spawn(async move {
                mapping.handle(messages).await;
                drop(permit);
            });
        }
    }
    while invocations.join_next().await.is_some() {}
}

struct Mapping<I> {
    source: EventSource,
    sqs: Client,
    invoker: Arc<I>,
}

impl<I: Invoke> Mapping<I> {
    /// The next batch: what a long poll brings, and what comes within the batching window.
    async fn receive(&self) -> Vec<Message> {
        let mut pause = PAUSES.0;
        let mut messages = loop {
            // Every delivery counts towards the dead letters, so none is asked for that nobody could take.
            if self.invoker.ready().await {
                match self.poll(self.source.batch_size, LONG_POLL).await {
                    Ok(messages) => break messages,
                    Err(why) if pause == PAUSES.0 => tracing::warn!(queue = self.source.queue_url, why, "SQS is away"),
                    Err(_) => {}
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        };
        let first = Instant::now();
        while !messages.is_empty() && messages.len() < self.source.batch_size {
            let left = self.source.batching_window.saturating_sub(first.elapsed());
            let wait = i32::try_from(left.as_secs()).unwrap_or(LONG_POLL).min(LONG_POLL);
            if wait == 0 {
                break;
            }
            match self.poll(self.source.batch_size - messages.len(), wait).await {
                Ok(more) => messages.extend(more),
                Err(_) => break,
            }
        }
        messages
    }

    async fn poll(&self, most: usize, wait: i32) -> Result<Vec<Message>, String> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(&self.source.queue_url)
            .max_number_of_messages(i32::try_from(most).unwrap_or(SQS_AT_ONCE).clamp(1, SQS_AT_ONCE))
            .wait_time_seconds(wait)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await;
        received
            .map(|output| output.messages.unwrap_or_default())
            .map_err(|error| DisplayErrorContext(&error).to_string())
    }

    /// Invokes the function with a batch and deletes what succeeded.
    async fn handle(&self, messages: Vec<Message>) {
        let function = &self.source.function;
        let begun = Instant::now();
        let ids: Vec<_> = messages.iter().filter_map(|message| message.message_id.as_deref()).collect();
        let outcome = match self.invoke(&messages).await {
            Ok(answer) => outcome(&answer, &ids),
            Err(why) => Outcome::AllFailed(why),
        };
        let duration_ms = begun.elapsed().as_millis();
        let (succeeded, failed): (Vec<_>, Vec<_>) =
            messages.iter().partition(|message| outcome.succeeded(message.message_id.as_deref().unwrap_or_default()));
        match outcome {
            Outcome::AllFailed(why) => {
                tracing::warn!(function, messages = messages.len(), duration_ms, why, "the whole batch failed");
            }
            Outcome::Failed(_) => {
                let (succeeded, failed) = (succeeded.len(), failed.len());
                tracing::info!(function, succeeded, failed, duration_ms, "invoked");
            }
        }
        self.delete(&succeeded).await;
    }

    async fn invoke(&self, messages: &[Message]) -> Result<String, String> {
        let event = event(messages, &self.source.queue_url);
        let event = serde_json::to_string(&event).map_err(|error| error.to_string())?;
        let attempt = async {
            loop {
                match self.invoker.invoke(&self.source.function, event.clone()).await {
                    Err(InvokeError::Unreachable(_)) => sleep(PAUSES.0).await,
                    answer => break answer,
                }
            }
        };
        match timeout(self.source.function_timeout, attempt).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("timed out after {:.2} seconds", self.source.function_timeout.as_secs_f32())),
        }
    }

    /// What cannot be deleted in the end is delivered again: that is what "at least once" means.
    async fn delete(&self, messages: &[&Message]) {
        const ATTEMPTS: u32 = 5;
        for messages in messages.chunks(10) {
            let entry = |(index, message): (usize, &&Message)| {
                let handle = message.receipt_handle.clone().unwrap_or_default();
                DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(handle).build().ok()
            };
            let entries: Vec<_> = messages.iter().enumerate().filter_map(entry).collect();
            for attempt in 1..=ATTEMPTS {
                let request = self.sqs.delete_message_batch().queue_url(&self.source.queue_url);
                match request.set_entries(Some(entries.clone())).send().await {
                    Ok(_) => break,
                    Err(error) if attempt == ATTEMPTS => {
                        let why = DisplayErrorContext(&error).to_string();
                        tracing::warn!(queue = self.source.queue_url, why, "messages could not be deleted");
                    }
                    Err(_) => sleep(PAUSES.0 * 2_u32.pow(attempt)).await,
                }
            }
        }
    }
}

/// The event that AWS makes of messages.
fn event(messages: &[Message], queue_url: &str) -> SqsEvent {
    let queue = queue_url.rsplit('/').next().unwrap_or_default();
    let mut event = SqsEvent::default();
    event.records = messages.iter().map(|message| record(message, queue)).collect();
    event
}

fn record(message: &Message, queue: &str) -> SqsMessage {
    let attributes = message.attributes.iter().flatten();
    let message_attributes = message.message_attributes.iter().flatten();
    let mut record = SqsMessage::default();
    record.message_id.clone_from(&message.message_id);
    record.receipt_handle.clone_from(&message.receipt_handle);
    record.body.clone_from(&message.body);
    record.md5_of_body.clone_from(&message.md5_of_body);
    record.md5_of_message_attributes.clone_from(&message.md5_of_message_attributes);
    record.attributes = attributes.map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect();
    record.message_attributes = message_attributes
        .map(|(name, value)| {
            let mut attribute = SqsMessageAttribute::default();
            attribute.string_value.clone_from(&value.string_value);
            attribute.binary_value = value.binary_value.clone().map(base64);
            attribute.data_type = Some(value.data_type.clone());
            (name.clone(), attribute)
        })
        .collect::<HashMap<_, _>>();
    record.event_source_arn = Some(format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"));
    record.event_source = Some("aws:sqs".to_owned());
    record.aws_region = Some(REGION.to_owned());
    record
}

fn base64(value: Blob) -> Base64Data {
    let mut data = Base64Data::default();
    data.0 = value.into_inner();
    data
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::types::MessageAttributeValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_what_aws_makes_of_a_message() {
        let text = MessageAttributeValue::builder().data_type("String").string_value("trace").build().unwrap();
        let bytes = MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new("hi")).build().unwrap();
        let message = Message::builder()
            .message_id("id")
            .receipt_handle("handle")
            .body("body")
            .md5_of_body("841a2d689ad86bd1611447453c22c6fc")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "2")
            .message_attributes("text", text)
            .message_attributes("bytes", bytes)
            .build();
        let event = event(&[message], "http://127.0.0.1:9324/000000000000/provision-tenant");

        let json = serde_json::to_value(&event).unwrap();
        let record = &json["Records"][0];
        assert_eq!(record["messageId"], "id");
        assert_eq!(record["receiptHandle"], "handle");
        assert_eq!(record["body"], "body");
        assert_eq!(record["md5OfBody"], "841a2d689ad86bd1611447453c22c6fc");
        assert_eq!(record["attributes"], json!({ "ApproximateReceiveCount": "2" }));
        assert_eq!(record["messageAttributes"]["text"]["stringValue"], "trace");
        assert_eq!(record["messageAttributes"]["bytes"]["binaryValue"], "aGk=");
        assert_eq!(record["eventSourceARN"], "arn:aws:sqs:us-east-1:000000000000:provision-tenant");
        assert_eq!(record["eventSource"], "aws:sqs");
        assert_eq!(record["awsRegion"], "us-east-1");
        assert_eq!(serde_json::from_value::<SqsEvent>(json).unwrap(), event);
    }
}
