//! An event source mapping from an SQS queue to a function, with partial batch responses.
//!
//! Batches are received by long polling and passed to the function, several concurrently up to a limit. Messages that succeeded
//! are deleted. Messages that failed stay in the queue: after their visibility timeout SQS delivers them again, and after the
//! queue's maximum of deliveries SQS moves them to the dead-letter queue.

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
    batch::{BatchOutcome, parse_answer},
    invoke::{Invoke, InvokeError},
};

/// The AWS region in events.
pub const REGION: &str = "us-east-1";
/// The AWS account in events.
pub const ACCOUNT: &str = "000000000000";

/// SQS receives and deletes at most this many messages in one request.
const SQS_BATCH: usize = 10;
/// Seconds of a long poll: SQS's maximum.
const LONG_POLL: i32 = 20;
/// Pauses while SQS or the functions are down: the first and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The settings of a mapping. Names in parentheses are CloudFormation's.
#[derive(Clone, Debug)]
pub struct EventSource {
    /// The URL of the queue.
    pub queue_url: String,
    /// The name of the function.
    pub function: String,
    /// Greatest number of messages in one invocation (`BatchSize`).
    pub batch_size: usize,
    /// Greatest number of concurrent invocations (`ScalingConfig: MaximumConcurrency`).
    pub max_concurrency: usize,
    /// How long to wait until a batch is full (`MaximumBatchingWindowInSeconds`).
    pub batching_window: Duration,
    /// After this an invocation has failed, with its whole batch.
    pub function_timeout: Duration,
}

/// Runs the mapping until `shutdown`, and then until all running invocations have ended.
///
/// While the queue or the functions are down, it waits for them.
pub async fn run(
    source: EventSource,
    sqs: Client,
    invoker: Arc<impl Invoke>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let mapping = Arc::new(EventSourceMapping { source, sqs, invoker });
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

struct EventSourceMapping<I> {
    source: EventSource,
    sqs: Client,
    invoker: Arc<I>,
}

impl<I: Invoke> EventSourceMapping<I> {
    /// Receives the next batch: the messages of a long poll and of the batching window after it.
    async fn receive(&self) -> Vec<Message> {
        let mut pause = PAUSES.0;
        let mut messages = loop {
            // Each delivery counts towards the queue's maximum, so nothing is received while the functions are down.
            if self.invoker.ready().await {
                match self.poll(self.source.batch_size, LONG_POLL).await {
                    Ok(messages) => break messages,
                    Err(reason) if pause == PAUSES.0 => {
                        tracing::warn!(queue = self.source.queue_url, reason, "SQS is not reachable");
                    }
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

    async fn poll(&self, limit: usize, wait: i32) -> Result<Vec<Message>, String> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(&self.source.queue_url)
            .max_number_of_messages(i32::try_from(limit.clamp(1, SQS_BATCH)).unwrap_or(1))
            .wait_time_seconds(wait)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await;
        received
            .map(|output| output.messages.unwrap_or_default())
            .map_err(|error| DisplayErrorContext(&error).to_string())
    }

    /// Invokes the function with a batch and deletes the messages that succeeded.
    async fn handle(&self, messages: Vec<Message>) {
        let function = &self.source.function;
        let started = Instant::now();
        let ids: Vec<_> = messages.iter().filter_map(|message| message.message_id.as_deref()).collect();
        let outcome = match self.invoke(&messages).await {
            Ok(answer) => parse_answer(&answer, &ids),
            Err(reason) => BatchOutcome::AllFailed(reason),
        };
        let duration_ms = started.elapsed().as_millis();
        let (succeeded, failed): (Vec<_>, Vec<_>) =
            messages.iter().partition(|message| outcome.succeeded(message.message_id.as_deref().unwrap_or_default()));
        match outcome {
            BatchOutcome::AllFailed(reason) => {
                tracing::warn!(function, messages = messages.len(), duration_ms, reason, "the whole batch failed");
            }
            BatchOutcome::Failed(_) => {
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

    /// Messages that cannot be deleted are delivered again, as "at least once" allows.
    async fn delete(&self, messages: &[&Message]) {
        const ATTEMPTS: u32 = 5;
        for messages in messages.chunks(SQS_BATCH) {
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
                        let reason = DisplayErrorContext(&error).to_string();
                        tracing::warn!(queue = self.source.queue_url, reason, "deleting messages failed");
                    }
                    Err(_) => sleep(PAUSES.0 * 2_u32.pow(attempt)).await,
                }
            }
        }
    }
}

/// The event in which AWS passes messages to a function.
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
    fn an_event_contains_what_aws_passes_to_a_function() {
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
