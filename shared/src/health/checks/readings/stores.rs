//! Readings of the stores and queues.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use crate::health::{
    ComponentStatus,
    checks::{deadline::Timed, error::ProbeError},
};

/// The stores and queues.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Infrastructure {
    /// The platform database, and the tenants' clusters.
    pub postgresql: PostgreSqlReading,
    /// The tenants' clusters.
    pub mongodb: MongoDbReading,
    /// Redis.
    pub redis: StoreReading,
    /// The topic of events.
    pub kafka: KafkaReading,
    /// The tenants' bucket.
    pub minio: StoreReading,
    /// The queues.
    pub sqs: SqsReading,
}

/// The result of a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = Reading))]
pub struct StoreReading {
    /// The status of the component.
    pub status: ComponentStatus,
    /// Milliseconds until it responded; `null` if it did not.
    pub latency_ms: Option<f64>,
    /// Its version, if it reports one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The problem, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl StoreReading {
    pub(in crate::health::checks) fn up<T>(response: &Timed<T>, version: Option<String>) -> Self {
        Self { status: ComponentStatus::Up, latency_ms: Some(response.latency_ms()), version, error: None }
    }

    /// Also logs the error.
    pub(in crate::health::checks) fn down(component: &str, error: ProbeError) -> Self {
        error.log(component);
        Self { status: ComponentStatus::Down, latency_ms: None, version: None, error: Some(error.text.into_owned()) }
    }

    /// Replaces the status and the error.
    pub(in crate::health::checks) fn with_problem(
        self,
        status: ComponentStatus,
        error: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, error: Some(error.into().into_owned()), ..self }
    }
}

/// PostgreSQL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct PostgreSqlReading {
    /// The platform database.
    #[serde(flatten)]
    pub reading: StoreReading,
    /// The lag of the slowest replica, if there is a replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_lag_seconds: Option<f64>,
    /// The tenants' clusters by name, if they are not on the platform database's own server.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clusters: BTreeMap<String, StoreReading>,
}

/// MongoDB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct MongoDbReading {
    /// The cluster, or all clusters together.
    #[serde(flatten)]
    pub reading: StoreReading,
    /// Whether every cluster has a primary.
    pub primary: bool,
    /// The clusters by name, if there is more than one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clusters: BTreeMap<String, StoreReading>,
}

/// Kafka.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct KafkaReading {
    /// The brokers and the topic.
    #[serde(flatten)]
    pub reading: StoreReading,
    /// The number of partitions of the topic; `null` if it is unknown.
    pub partitions: Option<usize>,
}

/// SQS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SqsReading {
    /// All queues together.
    #[serde(flatten)]
    pub reading: StoreReading,
    /// How many seconds the oldest pending operation has waited, 0 when none is pending; `null` when the platform database,
    /// which records it, does not respond.
    pub oldest_age_seconds: Option<f64>,
    /// The queues by name.
    pub queues: BTreeMap<String, QueueReading>,
}

/// A queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct QueueReading {
    /// Messages that wait to be received.
    pub depth: i64,
    /// Messages that a consumer is processing.
    pub in_flight: i64,
    /// Messages in the dead-letter queue; `null` without a dead-letter queue.
    pub dead_letters: Option<i64>,
}
