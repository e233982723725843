//! The transactional producer.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures::future::try_join_all;
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{FutureRecord, Producer as _},
};
use shared::{
    clients::kafka::{self, Producer, blocking, end_aside},
    config::KafkaConfig,
    error::{Dependency, Error, Result},
    events::store::OutboxMessage,
    worker::Deadline,
};
use uuid::Uuid;

use crate::{App, Boundary};

/// Why a batch was not sent.
pub(crate) enum SendError {
    /// Kafka refuses a message because of its size or content. The transaction was not committed.
    Refused(String),
    /// The batch may or may not be on the topic.
    Unknown(Error),
}

impl<E: Into<Error>> From<E> for SendError {
    fn from(error: E) -> Self {
        Self::Unknown(error.into())
    }
}

/// Sends events in transactions.
pub(crate) struct EventSender {
    id: Uuid,
    topic: String,
    timeout: Duration,
    /// `None` only while `drop` runs.
    producer: Option<Producer>,
    is_initialized: AtomicBool,
}

impl EventSender {
    /// Connects on first use.
    pub(crate) fn new(config: &KafkaConfig) -> Result<Self> {
        let producer = kafka::producer(config, &format!("landlord.relay-events.{}", config.topic))?;
        Ok(Self {
            id: Uuid::now_v7(),
            topic: config.topic.clone(),
            timeout: config.timeout,
            producer: Some(producer),
            is_initialized: AtomicBool::new(false),
        })
    }

    /// Identifies this producer in the checkpoint.
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// The client, which can also query topics.
    pub(crate) fn producer(&self) -> Producer {
        match &self.producer {
            Some(producer) => producer.clone(),
            None => unreachable!("only `drop` removes the producer"),
        }
    }

    /// Fences off all earlier producers: afterwards none of their transactions is open, and they can send nothing more. Does
    /// nothing when called again.
    pub(crate) async fn fence_others(&self, deadline: Deadline) -> Result<()> {
        if !self.is_initialized.load(Ordering::Relaxed) {
            let (producer, timeout) = (self.producer(), deadline.cap(self.timeout));
            blocking(move || producer.init_transactions(timeout)).await?;
            self.is_initialized.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Sends events in one transaction. After an error this sender must be dropped: its transaction is still open, and ends
    /// when another producer calls [`Self::fence_others`].
    pub(crate) async fn send(&self, app: &App, events: &[OutboxMessage], deadline: Deadline) -> Result<(), SendError> {
        let producer = self.producer();
        producer.begin_transaction()?;
        self.produce(&producer, events, deadline).await?;
        app.reached(Boundary::Sent).await;
        let timeout = deadline.cap(self.timeout);
        Ok(blocking(move || producer.commit_transaction(timeout)).await?)
    }

    async fn produce(
        &self,
        producer: &Producer,
        events: &[OutboxMessage],
        deadline: Deadline,
    ) -> Result<(), SendError> {
        let mut deliveries = Vec::with_capacity(events.len());
        for event in events {
            let (id, payload) = (event.message_id.to_string(), event.payload.to_string());
            let traceparent = event.trace_id.traceparent(event.message_id);
            let headers = OwnedHeaders::new()
                .insert(Header { key: "content-type", value: Some("application/cloudevents+json") })
                .insert(Header { key: "ce_id", value: Some(&id) })
                .insert(Header { key: "traceparent", value: Some(&traceparent) });
            let record = FutureRecord::to(&self.topic).key(&event.key).payload(&payload).headers(headers);
            deliveries.push(producer.send_result(record).map_err(|(error, _)| classify(error))?);
        }
        let results = tokio::time::timeout(deadline.cap(self.timeout), try_join_all(deliveries)).await;
        for result in
            results.map_err(|elapsed| Error::unavailable(Dependency::Kafka, elapsed))?.map_err(|_| canceled())?
        {
            result.map_err(|(error, _)| classify(error))?;
        }
        Ok(())
    }
}

impl Drop for EventSender {
    fn drop(&mut self) {
        end_aside(self.producer.take());
    }
}

fn classify(error: KafkaError) -> SendError {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidRecord | RDKafkaErrorCode::PolicyViolation,
        ) => SendError::Refused(error.to_string()),
        _ => SendError::Unknown(error.into()),
    }
}

fn canceled() -> Error {
    KafkaError::Canceled.into()
}
