//! Batches of SQS messages.

use std::{collections::HashMap, sync::Arc};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinSet},
};
use tracing::{Instrument, info_span};

use crate::{
    error::{Error, Result},
    telemetry::trace,
    types::TraceId,
};

/// Messages that were delivered together.
#[derive(Debug)]
pub struct Batch {
    messages: Vec<SqsMessage>,
}

impl Batch {
    /// Whether an event contains messages.
    pub(super) fn is_in(event: &Value) -> bool {
        event.get("Records").is_some_and(Value::is_array)
    }

    pub(super) fn of(event: Value) -> Result<Self> {
        let event: SqsEvent = serde_json::from_value(event).map_err(Error::internal)?;
        Ok(Self { messages: event.records })
    }

    /// The messages, in the order of delivery.
    pub fn messages(&self) -> &[SqsMessage] {
        &self.messages
    }

    /// Works on each message in a task of its own, on at most `concurrency` of them at the same time. A message whose work
    /// returns `false` or panics is delivered again. The trace id is that of the message, if it contains one.
    pub async fn process<F>(self, concurrency: usize, work: impl Fn(SqsMessage) -> F) -> SqsBatchResponse
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let tasks = self.messages.into_iter().map(|message| {
            let id = message.message_id.clone().unwrap_or_default();
            let span = info_span!("message", message.id = id);
            let trace_id = trace_id(&message).unwrap_or_else(trace::current_or_new);
            (id, trace::within(trace_id, work(message).instrument(span)))
        });
        let results = concurrently(tasks, concurrency).await;
        let failed = results.into_iter().filter(|(_, result)| !matches!(result, Ok(true))).map(|(id, _)| id);
        Self::response(failed)
    }

    /// The response after which the messages with these ids are delivered again.
    pub fn response(failed: impl IntoIterator<Item = String>) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        response.set_failures(failed);
        response
    }

    /// Reads the JSON body of a message. The error does not repeat the body, whose origin is unknown when it is malformed.
    pub fn read<T: DeserializeOwned>(message: &SqsMessage) -> Result<T, String> {
        serde_json::from_str(message.body.as_deref().unwrap_or_default()).map_err(|error| error.to_string())
    }
}

/// The trace id of the request that sent a message.
fn trace_id(message: &SqsMessage) -> Option<TraceId> {
    #[derive(Deserialize)]
    struct Traced {
        trace_id: String,
    }
    Batch::read::<Traced>(message).ok()?.trace_id.parse().ok()
}

/// Runs tasks, at most `concurrency` of them at the same time, each isolated from the others' panics, which are logged.
pub async fn concurrently<K, T, F>(
    tasks: impl IntoIterator<Item = (K, F)>,
    concurrency: usize,
) -> Vec<(K, Result<T, JoinError>)>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(concurrency));
    let (mut running, mut keys) = (JoinSet::new(), HashMap::new());
    for (key, task) in tasks {
        let permits = Arc::clone(&permits);
        let task = async move {
            let _permit = permits.acquire().await;
            task.await
        };
        keys.insert(running.spawn(trace::carried(task).in_current_span()).id(), key);
    }
    let mut results = Vec::with_capacity(keys.len());
    while let Some(result) = running.join_next_with_id().await {
        let (id, result) = match result {
            Ok((id, value)) => (id, Ok(value)),
            Err(error) => {
                tracing::error!(%error, "a task did not finish");
                (error.id(), Err(error))
            }
        };
        results.extend(keys.remove(&id).map(|key| (key, result)));
    }
    results
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_event_with_records_is_a_batch() {
        let event = json!({ "Records": [{ "messageId": "1", "body": "{}" }] });
        assert!(Batch::is_in(&event));
        assert_eq!(Batch::of(event).unwrap().messages().len(), 1);
        for other in [json!({ "source": "aws.scheduler" }), json!({}), json!(null), json!({ "Records": 1 })] {
            assert!(!Batch::is_in(&other), "{other}");
        }
    }

    #[tokio::test]
    async fn failed_and_panicked_messages_are_delivered_again_and_no_others() {
        let records: Vec<_> = ["done", "failed", "panic"].map(|id| json!({ "messageId": id, "body": id })).into();
        let batch = Batch::of(json!({ "Records": records })).unwrap();
        let response = batch
            .process(2, |message| async move {
                match message.body.as_deref() {
                    Some("done") => true,
                    Some("failed") => false,
                    _ => panic!("planted"),
                }
            })
            .await;
        let mut again: Vec<_> = response.batch_item_failures.into_iter().map(|item| item.item_identifier).collect();
        again.sort();
        assert_eq!(again, ["failed", "panic"]);
    }
}
