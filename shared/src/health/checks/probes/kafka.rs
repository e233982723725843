//! Probes Kafka: the topic of events, and the leader of each of its partitions.
//!
//! librdkafka blocks the calling thread, so its calls run on blocking threads, at most two at once: one for a kept client
//! that hangs, and one for a new client. Each call ends by its own timeout, at the deadline.

use std::{sync::Arc, time::Duration};

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};
use tokio::sync::Semaphore;

use crate::{
    clients::{
        kafka::{self, Observer, blocking, end_aside},
        tls_problem,
    },
    config::{ConfigError, KafkaConfig},
    error::Error,
    health::{
        ComponentStatus,
        checks::{
            deadline::ProbeDeadline,
            error::ProbeError,
            probe::{Check, Probe},
            readings::{KafkaReading, StoreReading},
        },
    },
};

pub(super) struct KafkaProbe(Probe<KafkaCheck>);

impl KafkaProbe {
    /// Opens no connection.
    pub(super) fn new(config: KafkaConfig, timeout: Duration) -> Result<Self, ConfigError> {
        kafka::check(&config)?;
        let config = KafkaConfig { timeout, ..config };
        Ok(Self(Probe::new(KafkaCheck { config, threads: Arc::new(Semaphore::new(2)) })))
    }

    pub(super) async fn read(&self, deadline: ProbeDeadline) -> KafkaReading {
        let response = match self.0.run(deadline).await {
            Ok(response) => response,
            Err(error) => return KafkaReading { reading: StoreReading::down("kafka", error), partitions: None },
        };
        let reading = StoreReading::up(&response, None);
        let (reading, partitions) = match response.value {
            // The relay creates the topic with the first event.
            TopicState::Missing => (reading.with_problem(ComponentStatus::Degraded, "the topic does not exist"), 0),
            TopicState::Found { partitions, leaderless: 0 } => (reading, partitions),
            TopicState::Found { partitions, leaderless } => {
                let some_lead = leaderless < partitions;
                let status = if some_lead { ComponentStatus::Degraded } else { ComponentStatus::Down };
                let error = format!("{leaderless} of {partitions} partitions have no leader");
                (reading.with_problem(status, error), partitions)
            }
        };
        KafkaReading { reading, partitions: Some(partitions) }
    }
}

struct KafkaCheck {
    config: KafkaConfig,
    threads: Arc<Semaphore>,
}

#[derive(Debug, Clone, Copy)]
enum TopicState {
    Missing,
    Found { partitions: usize, leaderless: usize },
}

/// A client that is destroyed on another thread, because that takes long.
struct KafkaConnection(Option<Arc<Observer>>);

impl Drop for KafkaConnection {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            end_aside(client);
        }
    }
}

impl KafkaCheck {
    /// Runs a call on a blocking thread, as soon as one of the two is free.
    async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, ProbeError> {
        let thread = Arc::clone(&self.threads).acquire_owned().await;
        let thread = thread.map_err(|error| ProbeError::from(Error::internal(error)))?;
        let result = blocking(move || {
            let result = call();
            drop(thread);
            result
        });
        result.await.map_err(|error| match &error {
            Error::Unavailable { .. } => {
                ProbeError::because(tls_problem(&error).unwrap_or("no broker is reachable"), &error)
            }
            _ => ProbeError::from(error),
        })
    }
}

impl Check for KafkaCheck {
    type Connection = KafkaConnection;
    type Response = TopicState;

    async fn open(&self) -> Result<KafkaConnection, ProbeError> {
        let config = self.config.clone();
        // On a blocking thread too, because creating a client may read certificates.
        let client = self.call(move || kafka::observer(&config)).await?;
        Ok(KafkaConnection(Some(Arc::new(client))))
    }

    async fn query(&self, client: &mut KafkaConnection, deadline: ProbeDeadline) -> Result<TopicState, ProbeError> {
        let Some(client) = client.0.clone() else { return Err(ProbeError::new("the client is closed")) };
        let (name, timeout) = (self.config.topic.clone(), deadline.remaining());
        self.call(move || find_topic(&client, &name, timeout)).await
    }
}

fn find_topic(client: &Observer, name: &str, timeout: Duration) -> Result<TopicState, Error> {
    let metadata = kafka::fetch_topic(client, name, timeout)?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    let Some(topic) = topic else { return Ok(TopicState::Missing) };
    match topic.error().map(RDKafkaErrorCode::from) {
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(TopicState::Missing),
        Some(code) if code != RDKafkaErrorCode::LeaderNotAvailable => Err(KafkaError::MetadataFetch(code).into()),
        _ => Ok(TopicState::Found {
            partitions: topic.partitions().len(),
            leaderless: topic.partitions().iter().filter(|partition| partition.leader() < 0).count(),
        }),
    }
}
