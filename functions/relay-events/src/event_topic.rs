//! The topic of the events: creating it, reading its end offsets and searching its messages.

use std::{
    collections::HashSet,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    admin::{AdminOptions, NewTopic, TopicReplication},
    consumer::Consumer as _,
    error::{KafkaError, RDKafkaErrorCode},
    message::Headers as _,
    producer::Producer as _,
};
use shared::{
    clients::kafka::{self, Consumer, Isolation, Producer, blocking, end_aside},
    config::KafkaConfig,
    error::{Dependency, Error, Result},
    worker::Deadline,
};
use uuid::Uuid;

/// Partitions of a topic that the relay creates.
const PARTITIONS: i32 = 6;

/// The brokers' default.
const DEFAULT_REPLICATION: TopicReplication<'static> = TopicReplication::Fixed(-1);

const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A topic that exists.
pub(crate) struct EventTopic {
    config: KafkaConfig,
    producer: Producer,
    partitions: i32,
}

impl EventTopic {
    /// Looks the topic up, and creates it if it does not exist, with six partitions and the brokers' defaults. A deployment
    /// that needs other partitions, replication or retention creates the topic itself beforehand.
    pub(crate) async fn open(config: &KafkaConfig, producer: Producer, deadline: Deadline) -> Result<Self> {
        let mut created = false;
        loop {
            let timeout = deadline.cap(config.timeout);
            let (client, name) = (producer.clone(), config.topic.clone());
            match blocking(move || partitions(&client, &name, timeout)).await? {
                Some(partitions) => return Ok(Self { config: config.clone(), producer, partitions }),
                None if created => tokio::time::sleep(POLL_INTERVAL).await,
                None => {
                    create(config, timeout).await?;
                    created = true;
                }
            }
            if deadline.is_near() {
                return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::LeaderNotAvailable).into());
            }
        }
    }

    /// The end offset of each partition. All messages that are sent from now on come after them.
    pub(crate) async fn end_offsets(&self, deadline: Deadline) -> Result<Vec<i64>> {
        let (producer, name, partitions) = (self.producer.clone(), self.config.topic.clone(), self.partitions);
        let until = Instant::now() + deadline.cap(self.config.timeout);
        blocking(move || {
            let fetch = |partition| {
                retry_while_unsettled(until, |time| producer.client().fetch_watermarks(&name, partition, time))
            };
            (0..partitions).map(|partition| Ok::<_, KafkaError>(fetch(partition)?.1)).collect()
        })
        .await
    }

    /// Whether one of these events was committed at or after the given offset of its partition (a partition without one is
    /// read from its beginning). The caller ensures that all transactions that could contain one have ended.
    pub(crate) async fn contains_any(&self, from: &[i64], ids: &[Uuid], deadline: Deadline) -> Result<bool> {
        let search = TopicSearch {
            all: kafka::consumer(&self.config, Isolation::Uncommitted)?,
            committed: kafka::consumer(&self.config, Isolation::Committed)?,
            topic: self.config.topic.clone(),
            from: from.to_vec(),
            ids: ids.iter().map(|id| id.to_string().into_bytes()).collect(),
            until: Instant::now() + deadline.cap(deadline.remaining()),
        };
        let partitions = self.partitions;
        let run = move || {
            let found = search.run(partitions);
            end_aside(search);
            found
        };
        tokio::task::spawn_blocking(run).await.map_err(Error::internal)?
    }
}

/// The number of the topic's partitions; `None` while the topic does not exist or a partition has no leader.
fn partitions(client: &Producer, topic: &str, timeout: Duration) -> Result<Option<i32>, KafkaError> {
    let metadata = client.client().fetch_metadata(Some(topic), timeout)?;
    let Some(topic) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
    match topic.error().map(RDKafkaErrorCode::from) {
        None if topic.partitions().iter().any(|partition| partition.leader() < 0) => Ok(None),
        None => Ok(i32::try_from(topic.partitions().len()).ok().filter(|count| *count > 0)),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::LeaderNotAvailable) => Ok(None),
        Some(code) => Err(KafkaError::MetadataFetch(code)),
    }
}

async fn create(config: &KafkaConfig, timeout: Duration) -> Result<()> {
    let admin = kafka::admin(config)?;
    let topic = NewTopic::new(&config.topic, PARTITIONS, DEFAULT_REPLICATION);
    let options = AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout));
    let results = admin.create_topics([&topic], &options).await;
    end_aside(admin);
    match results?.into_iter().next() {
        Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => Err(KafkaError::AdminOp(code).into()),
        Some(Err(_)) => Ok(()),
        _ => {
            tracing::warn!(topic = config.topic, partitions = PARTITIONS, "the topic did not exist and was created");
            Ok(())
        }
    }
}

/// Repeats a request while the brokers have not agreed on the leader of a partition, which was just created or is moving.
fn retry_while_unsettled<T>(
    until: Instant,
    request: impl Fn(Duration) -> Result<T, KafkaError>,
) -> Result<T, KafkaError> {
    loop {
        let result = request(until.saturating_duration_since(Instant::now()));
        match &result {
            Err(KafkaError::MetadataFetch(
                RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::UnknownTopicOrPartition,
            )) if Instant::now() + POLL_INTERVAL < until => thread::sleep(POLL_INTERVAL),
            _ => return result,
        }
    }
}

/// A search of the topic's latest messages.
struct TopicSearch {
    all: Consumer,
    committed: Consumer,
    topic: String,
    from: Vec<i64>,
    ids: HashSet<Vec<u8>>,
    until: Instant,
}

impl TopicSearch {
    fn run(&self, partitions: i32) -> Result<bool> {
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            let (low, high) =
                retry_while_unsettled(self.until, |time| self.all.fetch_watermarks(&self.topic, partition, time))?;
            self.wait_until_decided(partition, high)?;
            let recorded = usize::try_from(partition).ok().and_then(|index| self.from.get(index)).copied();
            let from = match recorded {
                Some(offset) if (low..=high).contains(&offset) => offset,
                None => low,
                Some(offset) => {
                    let topic = &self.topic;
                    tracing::error!(
                        topic,
                        partition,
                        offset,
                        low,
                        high,
                        "the topic no longer has the offsets of the last batch"
                    );
                    low
                }
            };
            if from < high {
                assignment.add_partition_offset(&self.topic, partition, Offset::Offset(from))?;
            }
        }
        let partitions = assignment.count();
        self.committed.assign(&assignment)?;
        let mut read = HashSet::new();
        while read.len() < partitions {
            match self.committed.poll(self.remaining()?) {
                Some(Ok(message)) if self.is_match(&message) => return Ok(true),
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(read.insert(partition)),
                Some(Err(error)) if is_permanent(&error) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(false)
    }

    /// Waits until all transactions before an offset have ended. To a reader of committed messages, a partition ends where its
    /// first open transaction begins, even if that is another service's.
    fn wait_until_decided(&self, partition: i32, high: i64) -> Result<()> {
        let fetch = |time| self.committed.fetch_watermarks(&self.topic, partition, time);
        while retry_while_unsettled(self.until, fetch)?.1 < high {
            self.remaining()?;
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    fn is_match(&self, message: &rdkafka::message::BorrowedMessage<'_>) -> bool {
        message.headers().is_some_and(|headers| {
            headers.iter().any(|header| header.key == "ce_id" && header.value.is_some_and(|id| self.ids.contains(id)))
        })
    }

    fn remaining(&self) -> Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::unavailable(
                Dependency::Kafka,
                "the search for an earlier relay's events did not finish in time",
            ));
        }
        Ok(left)
    }
}

/// Whether a consumer does not recover from the error by itself.
fn is_permanent(error: &KafkaError) -> bool {
    match error {
        KafkaError::MessageConsumption(code) => matches!(
            code,
            RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
        ),
        _ => true,
    }
}
