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
pub(crate) enum Failure {
    /// Kafka refuses a message of it for what it is. The transaction was not committed.
    Refused(String),
    /// It may be on the topic, or not.
    Unknown(Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Unknown(error.into())
    }
}

/// The transactional producer.
pub(crate) struct Sender {
    id: Uuid,
    topic: String,
    timeout: Duration,
    /// Taken when it is dropped, and only then.
    producer: Option<Producer>,
    taken_over: AtomicBool,
}

impl Sender {
    /// Connects to nothing yet.
    pub(crate) fn new(config: &KafkaConfig) -> Result<Self> {
        let producer = kafka::producer(config, &format!("landlord.relay-events.{}", config.topic))?;
        Ok(Self {
            id: Uuid::now_v7(),
            topic: config.topic.clone(),
            timeout: config.timeout,
            producer: Some(producer),
            taken_over: AtomicBool::new(false),
        })
    }

    /// Names this producer in the record of what is sent.
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// The client, which can be asked about topics too.
    pub(crate) fn producer(&self) -> Producer {
        match &self.producer {
            Some(producer) => producer.clone(),
            None => unreachable!("it is taken when this is dropped, and only then"),
        }
    }

    /// Makes this the one producer that can send, if it is not yet. Afterwards no transaction of another is open.
    pub(crate) async fn take_over(&self, deadline: Deadline) -> Result<()> {
        if !self.taken_over.load(Ordering::Relaxed) {
            let (producer, timeout) = (self.producer(), deadline.cap(self.timeout));
            blocking(move || producer.init_transactions(timeout)).await?;
            self.taken_over.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Sends events in one transaction. After a failure this is of no more use: the transaction is still open, and ends
    /// when another producer takes over.
    pub(crate) async fn send(&self, app: &App, events: &[OutboxMessage], deadline: Deadline) -> Result<(), Failure> {
        let producer = self.producer();
        producer.begin_transaction()?;
        self.produce(&producer, events, deadline).await?;
        app.reached(Boundary::Sent).await;
        let timeout = deadline.cap(self.timeout);
        Ok(blocking(move || producer.commit_transaction(timeout)).await?)
    }

    async fn produce(&self, producer: &Producer, events: &[OutboxMessage], deadline: Deadline) -> Result<(), Failure> {
        let mut deliveries = Vec::with_capacity(events.len());
        for event in events {
            let (id, payload) = (event.message_id.to_string(), event.payload.to_string());
            let headers = OwnedHeaders::new()
                .insert(Header { key: "content-type", value: Some("application/cloudevents+json") })
                .insert(Header { key: "ce_id", value: Some(&id) });
            let record = FutureRecord::to(&self.topic).key(&event.key).payload(&payload).headers(headers);
            deliveries.push(producer.send_result(record).map_err(|(error, _)| classify(error))?);
        }
        let answers = tokio::time::timeout(deadline.cap(self.timeout), try_join_all(deliveries)).await;
        for answer in
            answers.map_err(|elapsed| Error::unavailable(Dependency::Kafka, elapsed))?.map_err(|_| canceled())?
        {
            answer.map_err(|(error, _)| classify(error))?;
        }
        Ok(())
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        end_aside(self.producer.take());
    }
}

fn classify(error: KafkaError) -> Failure {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidRecord | RDKafkaErrorCode::PolicyViolation,
        ) => Failure::Refused(error.to_string()),
        _ => Failure::Unknown(error.into()),
    }
}

fn canceled() -> Error {
    KafkaError::Canceled.into()
}
