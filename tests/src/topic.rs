//! Reads a Kafka topic as another service does.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::Headers,
};
use serde_json::Value;
use shared::{clients::kafka, config::KafkaConfig};

use crate::produced_events::check;

const TIMEOUT: Duration = Duration::from_secs(20);

/// A message on a topic.
#[derive(Debug)]
pub struct ReceivedMessage {
    pub key: String,
    pub headers: HashMap<String, String>,
    pub payload: Value,
}

/// All messages of a topic, with a separate consumer, committed messages only.
pub fn read(config: &KafkaConfig) -> Vec<ReceivedMessage> {
    let consumer: BaseConsumer = kafka::settings(config)
        .set("group.id", "a-reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions(config) {
        assignment.add_partition_offset(&config.topic, i32::try_from(partition).unwrap(), Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let (mut messages, mut ended) = (Vec::new(), HashSet::new());
    while ended.len() < assignment.count() {
        match consumer.poll(TIMEOUT).expect("the topic can be read") {
            Ok(message) => messages.push(checked(ReceivedMessage {
                key: text(message.key().unwrap()),
                headers: message
                    .headers()
                    .unwrap()
                    .iter()
                    .map(|header| (header.key.to_owned(), text(header.value.unwrap())))
                    .collect(),
                payload: serde_json::from_slice(message.payload().unwrap()).unwrap(),
            })),
            Err(KafkaError::PartitionEOF(partition)) => drop(ended.insert(partition)),
            Err(error) => panic!("{error}"),
        }
    }
    messages
}

/// Every message that a test reads matches its description.
fn checked(message: ReceivedMessage) -> ReceivedMessage {
    check(&message);
    message
}

/// The number of a topic's partitions.
pub fn partitions(config: &KafkaConfig) -> usize {
    let client = kafka::consumer(config, kafka::Isolation::Committed).unwrap();
    let metadata = client.fetch_metadata(Some(&config.topic), TIMEOUT).unwrap();
    metadata.topics()[0].partitions().len()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// When the events of a tenant arrive at a service that consumes the topic.
pub struct Arrivals {
    received: Arc<Mutex<Vec<(String, Instant)>>>,
    stop: Arc<AtomicBool>,
}

impl Arrivals {
    /// Consumes what is written to the topic from now on.
    pub fn of(tenant: &str, config: &KafkaConfig) -> Self {
        let consumer = kafka::consumer(config, kafka::Isolation::Committed).unwrap();
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions(config) {
            let partition = i32::try_from(partition).unwrap();
            let (_, end) = consumer.fetch_watermarks(&config.topic, partition, TIMEOUT).unwrap();
            assignment.add_partition_offset(&config.topic, partition, Offset::Offset(end)).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let arrivals = Self { received: Arc::default(), stop: Arc::default() };
        let (received, stop, tenant) = (Arc::clone(&arrivals.received), Arc::clone(&arrivals.stop), tenant.to_owned());
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                // librdkafka reports the end of a partition as an error.
                let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
                if message.key() == Some(tenant.as_bytes()) {
                    let event: Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
                    let kind = event["type"].as_str().unwrap().to_owned();
                    received.lock().unwrap().push((kind, Instant::now()));
                }
            }
        });
        arrivals
    }

    /// Waits for the event of this type with this number, and returns when it arrived. The first one is number 0.
    pub async fn wait_for(&self, kind: &str, number: usize) -> Instant {
        let find = || {
            let received = self.received.lock().unwrap();
            received.iter().filter(|(received, _)| received == kind).nth(number).map(|(_, at)| *at)
        };
        crate::until("the event arrives", TIMEOUT, async || find().is_some()).await;
        find().unwrap()
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
