//! Kafka: the topic of events, and a leader for each of its partitions.
//!
//! librdkafka blocks the thread that asks. It is given one aside, and no more than two: a kept client's that hangs, and a
//! new one's. Each ends by its own timeout, at the deadline.

use std::{sync::Arc, time::Duration};

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::health::checks::{
    probe::{Asker, Deadline, Probe, Trouble},
    report::Reading,
};
use crate::{
    clients::kafka::{self, Observer, blocking, end_aside},
    config::KafkaConfig,
    error::Error,
    health::Condition,
};

/// Kafka.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct KafkaReading {
    /// Of the brokers and the topic.
    #[serde(flatten)]
    pub reading: Reading,
    /// How many partitions the topic has; `null` when that is not known.
    pub partitions: Option<usize>,
}

/// The brokers and the topic.
pub(super) struct Kafka(Asker<Question>);

impl Kafka {
    /// Connects to nothing yet.
    pub(super) fn new(config: KafkaConfig, timeout: Duration) -> Self {
        let config = KafkaConfig { timeout, ..config };
        Self(Asker::new(Question { config, threads: Arc::new(Semaphore::new(2)) }))
    }

    pub(super) async fn read(&self, deadline: Deadline) -> KafkaReading {
        let answered = match self.0.ask(deadline).await {
            Ok(answered) => answered,
            Err(trouble) => return KafkaReading { reading: Reading::down("kafka", trouble), partitions: None },
        };
        let reading = Reading::up(&answered, None);
        let (reading, partitions) = match answered.answer {
            // The relay makes it with the first event.
            Topic::Missing => (reading.but(Condition::Degraded, "the topic does not exist"), 0),
            Topic::Found { partitions, leaderless: 0 } => (reading, partitions),
            Topic::Found { partitions, leaderless } => {
                let condition = if leaderless < partitions { Condition::Degraded } else { Condition::Down };
                (reading.but(condition, format!("{leaderless} of {partitions} partitions have no leader")), partitions)
            }
        };
        KafkaReading { reading, partitions: Some(partitions) }
    }
}

/// What is asked of the brokers.
struct Question {
    config: KafkaConfig,
    threads: Arc<Semaphore>,
}

/// How the topic is.
#[derive(Debug, Clone, Copy)]
enum Topic {
    Missing,
    Found { partitions: usize, leaderless: usize },
}

/// A client that ends aside, as it takes its time.
struct Client(Option<Arc<Observer>>);

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            end_aside(client);
        }
    }
}

impl Question {
    /// Runs a call aside, once there is a thread for it.
    async fn aside<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, Trouble> {
        let thread = Arc::clone(&self.threads).acquire_owned().await;
        let thread = thread.map_err(|error| Trouble::from(Error::internal(error)))?;
        let result = blocking(move || {
            let result = call();
            drop(thread);
            result
        });
        result.await.map_err(|error| match &error {
            Error::Unavailable { .. } => Trouble::because("no broker can be reached", &error),
            _ => Trouble::from(error),
        })
    }
}

impl Probe for Question {
    type Connection = Client;
    type Answer = Topic;

    async fn open(&self) -> Result<Client, Trouble> {
        let config = self.config.clone();
        // It reads certificates, where it has to.
        let client = self.aside(move || Ok(kafka::observer(&config))).await??;
        Ok(Client(Some(Arc::new(client))))
    }

    async fn ask(&self, client: &mut Client, deadline: Deadline) -> Result<Topic, Trouble> {
        let Some(client) = client.0.clone() else { return Err(Trouble::new("it is closed")) };
        let (name, timeout) = (self.config.topic.clone(), deadline.remaining());
        self.aside(move || topic(&client, &name, timeout)).await
    }
}

/// Asks how a topic is.
fn topic(client: &Observer, name: &str, timeout: Duration) -> Result<Topic, KafkaError> {
    let metadata = client.fetch_metadata(Some(name), timeout)?;
    let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else { return Ok(Topic::Missing) };
    match topic.error().map(RDKafkaErrorCode::from) {
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(Topic::Missing),
        Some(code) if code != RDKafkaErrorCode::LeaderNotAvailable => Err(KafkaError::MetadataFetch(code)),
        _ => Ok(Topic::Found {
            partitions: topic.partitions().len(),
            leaderless: topic.partitions().iter().filter(|partition| partition.leader() < 0).count(),
        }),
    }
}
