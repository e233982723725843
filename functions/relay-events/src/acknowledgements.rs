//! Acknowledgements of the platform's services: that they refuse the users of a suspended tenant, or act on a limit that a tenant has reached.
//!
//! A service sends `{"tenant_id": "…", "suspension_id": "…", "service": "ws-server"}`, or the same with `limit_id`, to the topic
//! `KAFKA_ACKNOWLEDGEMENTS_TOPIC`. A run reads what was sent since the last one, records it, and then commits the offsets. A run that dies in between reads it again, which changes nothing.

use std::{collections::HashSet, time::Instant};

use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
};
use serde::Deserialize;
use shared::{
    clients::kafka::{self, Consumer, Isolation, blocking, end_aside},
    config::KafkaConfig,
    error::Result,
    tenants,
    types::{Microservice, TenantId},
    usage,
    worker::Deadline,
};
use uuid::Uuid;

use crate::App;

/// Messages of one run. The next one is a minute later.
const MAX_MESSAGES: usize = 10_000;

/// What a service sends.
#[derive(Debug, Deserialize)]
struct Acknowledgement {
    tenant_id: TenantId,
    #[serde(flatten)]
    of: Acknowledged,
    service: String,
}

/// What a service has confirmed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Acknowledged {
    SuspensionId(Uuid),
    LimitId(Uuid),
}

/// Records what services have acknowledged. Adds the number of those that are new to `recorded`.
pub(crate) async fn collect(app: &App, deadline: Deadline, recorded: &mut u64) -> Result<()> {
    let config = KafkaConfig { topic: app.kafka.acknowledgements_topic.clone(), ..app.kafka.clone() };
    let until = Instant::now() + deadline.cap(config.timeout);
    let Some(batch) = blocking(move || read(&config, until)).await? else { return Ok(()) };
    let platform = app.postgres.get().await?;
    for payload in &batch.payloads {
        let Some(one) = parse(payload) else { continue };
        let service = Microservice::ALL.into_iter().find(|service| service.as_str() == one.service);
        let Some(service) = service else {
            tracing::warn!(tenant.id = %one.tenant_id, "an acknowledgement names an unknown service");
            continue;
        };
        *recorded += match one.of {
            Acknowledged::SuspensionId(id) => {
                tenants::store::acknowledge(&platform, one.tenant_id, id, service).await?
            }
            Acknowledged::LimitId(id) => {
                usage::store::limits::acknowledge(&platform, one.tenant_id, id, service).await?
            }
        };
    }
    drop(platform);
    blocking(move || batch.commit()).await
}

fn parse(payload: &[u8]) -> Option<Acknowledgement> {
    match serde_json::from_slice(payload) {
        Ok(acknowledgement) => Some(acknowledgement),
        Err(error) => {
            tracing::warn!(error = %error, "an acknowledgement cannot be read");
            None
        }
    }
}

/// Messages, and where the next run goes on.
struct Batch {
    consumer: Consumer,
    payloads: Vec<Vec<u8>>,
    next: TopicPartitionList,
}

impl Batch {
    fn commit(self) -> Result<(), KafkaError> {
        let committed = self.consumer.commit(&self.next, CommitMode::Sync);
        end_aside(self.consumer);
        committed
    }
}

/// The messages after the committed offsets. `None` if there are none, or no service has created the topic yet. Blocks the thread.
fn read(config: &KafkaConfig, until: Instant) -> Result<Option<Batch>, KafkaError> {
    let consumer = kafka::consumer(config, Isolation::Committed).map_err(|_| KafkaError::Canceled)?;
    let result = read_with(&consumer, &config.topic, until);
    match result {
        Ok(Some((payloads, next))) => Ok(Some(Batch { consumer, payloads, next })),
        other => {
            end_aside(consumer);
            other.map(|_| None)
        }
    }
}

type Messages = (Vec<Vec<u8>>, TopicPartitionList);

fn read_with(consumer: &Consumer, topic: &str, until: Instant) -> Result<Option<Messages>, KafkaError> {
    let left = || until.saturating_duration_since(Instant::now());
    let metadata = consumer.fetch_metadata(Some(topic), left())?;
    let found = metadata.topics().iter().find(|one| one.name() == topic);
    let Some(found) = found.filter(|one| one.error().is_none() && !one.partitions().is_empty()) else {
        return Ok(None);
    };
    let mut wanted = TopicPartitionList::new();
    for partition in found.partitions() {
        wanted.add_partition(topic, partition.id());
    }
    let mut from = TopicPartitionList::new();
    for one in consumer.committed_offsets(wanted, left())?.elements() {
        let offset = if matches!(one.offset(), Offset::Offset(_)) { one.offset() } else { Offset::Beginning };
        from.add_partition_offset(topic, one.partition(), offset)?;
    }
    consumer.assign(&from)?;
    let (mut payloads, mut ended, mut next) = (Vec::new(), HashSet::new(), TopicPartitionList::new());
    while ended.len() < from.count() && payloads.len() < MAX_MESSAGES && !left().is_zero() {
        match consumer.poll(left()) {
            Some(Ok(message)) => {
                payloads.push(message.payload().unwrap_or_default().to_vec());
                let offset = Offset::Offset(message.offset() + 1);
                if next.set_partition_offset(topic, message.partition(), offset).is_err() {
                    next.add_partition_offset(topic, message.partition(), offset)?;
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
            Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {
                return Ok(None);
            }
            Some(Err(error)) => return Err(error),
            None => break,
        }
    }
    Ok((!payloads.is_empty()).then_some((payloads, next)))
}
