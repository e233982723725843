//! The topic: that it is there, where it ends, and what is on it.

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

/// Partitions of a topic that is made here.
const PARTITIONS: i32 = 6;

/// As many as the brokers' default says.
const DEFAULT_REPLICATION: TopicReplication<'static> = TopicReplication::Fixed(-1);

/// Between two looks at something that is about to change.
const PAUSE: Duration = Duration::from_millis(50);

/// A topic that is there.
pub(crate) struct Topic {
    config: KafkaConfig,
    producer: Producer,
    partitions: i32,
}

impl Topic {
    /// Asks for the topic, and makes it when it is missing. A deployment makes it beforehand, with the partitions,
    /// replication and retention that it wants; made here, it has six partitions and the brokers' defaults.
    pub(crate) async fn open(config: &KafkaConfig, producer: Producer, deadline: Deadline) -> Result<Self> {
        let mut made = false;
        loop {
            let timeout = deadline.cap(config.timeout);
            let (client, name) = (producer.clone(), config.topic.clone());
            match blocking(move || partitions(&client, &name, timeout)).await? {
                Some(partitions) => return Ok(Self { config: config.clone(), producer, partitions }),
                None if made => tokio::time::sleep(PAUSE).await,
                None => {
                    create(config, timeout).await?;
                    made = true;
                }
            }
            if deadline.is_near() {
                return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::LeaderNotAvailable).into());
            }
        }
    }

    /// Offsets, by partition, that all that is sent from now on comes after.
    pub(crate) async fn ends(&self, deadline: Deadline) -> Result<Vec<i64>> {
        let (producer, name, partitions) = (self.producer.clone(), self.config.topic.clone(), self.partitions);
        let until = Instant::now() + deadline.cap(self.config.timeout);
        blocking(move || {
            let fetch = |partition| settled(until, |time| producer.client().fetch_watermarks(&name, partition, time));
            (0..partitions).map(|partition| Ok(fetch(partition)?.1)).collect()
        })
        .await
    }

    /// Whether one of these events was committed at these offsets (by partition; the beginning, where there is none) or
    /// after. The transactions that could have brought one have ended.
    pub(crate) async fn has_any(&self, from: &[i64], ids: &[Uuid], deadline: Deadline) -> Result<bool> {
        let search = Search {
            all: kafka::consumer(&self.config, Isolation::Uncommitted)?,
            committed: kafka::consumer(&self.config, Isolation::Committed)?,
            topic: self.config.topic.clone(),
            from: from.to_vec(),
            ids: ids.iter().map(|id| id.to_string().into_bytes()).collect(),
            until: Instant::now() + deadline.cap(deadline.remaining()),
        };
        let partitions = self.partitions;
        let look = move || {
            let found = search.run(partitions);
            end_aside(search);
            found
        };
        tokio::task::spawn_blocking(look).await.map_err(Error::internal)?
    }
}

/// How many partitions the topic has; `None` while it is missing, or a partition of it has no leader yet.
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
    let answers = admin.create_topics([&topic], &options).await;
    end_aside(admin);
    match answers?.into_iter().next() {
        Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => Err(KafkaError::AdminOp(code).into()),
        Some(Err(_)) => Ok(()),
        _ => {
            tracing::warn!(topic = config.topic, partitions = PARTITIONS, "the topic was missing and was made");
            Ok(())
        }
    }
}

/// Asks again for as long as the brokers have not settled who leads a partition: one that was just made, or that moves.
fn settled<T>(until: Instant, ask: impl Fn(Duration) -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    loop {
        let answer = ask(until.saturating_duration_since(Instant::now()));
        match &answer {
            Err(KafkaError::MetadataFetch(
                RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::UnknownTopicOrPartition,
            )) if Instant::now() + PAUSE < until => thread::sleep(PAUSE),
            _ => return answer,
        }
    }
}

/// A look through the topic's latest messages.
struct Search {
    all: Consumer,
    committed: Consumer,
    topic: String,
    from: Vec<i64>,
    ids: HashSet<Vec<u8>>,
    until: Instant,
}

impl Search {
    fn run(&self, partitions: i32) -> Result<bool> {
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            let (low, high) = settled(self.until, |time| self.all.fetch_watermarks(&self.topic, partition, time))?;
            self.wait_for(partition, high)?;
            let recorded = usize::try_from(partition).ok().and_then(|index| self.from.get(index)).copied();
            let from = match recorded {
                Some(offset) if (low..=high).contains(&offset) => offset,
                None => low,
                Some(offset) => {
                    let topic = &self.topic;
                    tracing::error!(topic, partition, offset, low, high, "the topic lost what a relay sent last");
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
            match self.committed.poll(self.time()?) {
                Some(Ok(message)) if self.is_one(&message) => return Ok(true),
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(read.insert(partition)),
                Some(Err(error)) if is_lasting(&error) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(false)
    }

    /// Waits until all before an offset is decided: where the committed messages end is where the first open transaction
    /// begins, if only that of someone else.
    fn wait_for(&self, partition: i32, high: i64) -> Result<()> {
        let fetch = |time| self.committed.fetch_watermarks(&self.topic, partition, time);
        while settled(self.until, fetch)?.1 < high {
            self.time()?;
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn is_one(&self, message: &rdkafka::message::BorrowedMessage<'_>) -> bool {
        message.headers().is_some_and(|headers| {
            headers.iter().any(|header| header.key == "ce_id" && header.value.is_some_and(|id| self.ids.contains(id)))
        })
    }

    /// What is left of the time.
    fn time(&self) -> Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::unavailable(Dependency::Kafka, "what an earlier relay sent could not be read in time"));
        }
        Ok(left)
    }
}

/// Errors that a consumer does not get over by itself.
fn is_lasting(error: &KafkaError) -> bool {
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
