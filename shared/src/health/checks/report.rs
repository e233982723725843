//! What was found: the report as the API gives it.

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::health::checks::{
    integration::{IntegrationStatus, Integrations},
    kafka::KafkaReading,
    mongodb::MongoDbReading,
    postgresql::PostgreSqlReading,
    probe::{Answered, Trouble},
    service::{ServiceStatus, Services},
    sqs::SqsReading,
};
use crate::{
    health::{Component, Condition, TenantCounts},
    types::timestamp,
};

/// How the platform is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = HealthReport))]
pub struct HealthReport {
    /// The whole in one word.
    pub status: Status,
    /// When the probes began.
    #[serde(serialize_with = "timestamp", deserialize_with = "time::serde::rfc3339::deserialize")]
    #[cfg_attr(feature = "http", schema(value_type = String, format = DateTime))]
    pub checked_at: OffsetDateTime,
    /// Milliseconds until the last of them had ended.
    pub duration_ms: f64,
    /// The stores and queues.
    pub infrastructure: Infrastructure,
    /// The platform's own microservices.
    pub services: Services,
    /// The providers behind the channels.
    pub integrations: Integrations,
    /// How many tenants there are; `null` when the platform database does not say.
    pub tenants: Option<TenantCounts>,
}

/// The whole in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = HealthStatus))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything is well.
    Healthy,
    /// The platform works, and something is not as it should be.
    Degraded,
    /// A store or queue is down.
    Unhealthy,
}

/// The stores and queues.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Infrastructure {
    /// The platform database, and the clusters of tenants.
    pub postgresql: PostgreSqlReading,
    /// The clusters of tenants.
    pub mongodb: MongoDbReading,
    /// Redis.
    pub redis: Reading,
    /// The topic of events.
    pub kafka: KafkaReading,
    /// The bucket of tenants.
    pub minio: Reading,
    /// The queues.
    pub sqs: SqsReading,
}

/// What every probe tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Reading {
    /// How it was found.
    pub status: Condition,
    /// Milliseconds until it answered; `null` where it did not.
    pub latency_ms: Option<f64>,
    /// Its version, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Reading {
    /// It answered, and all is well.
    pub(super) fn up<T>(answered: &Answered<T>, version: Option<String>) -> Self {
        Self { status: Condition::Up, latency_ms: Some(milliseconds(answered.took)), version, error: None }
    }

    /// It did not answer as it should, which the log is told too.
    pub(super) fn down(component: &str, trouble: Trouble) -> Self {
        trouble.log(component);
        Self { status: Condition::Down, latency_ms: None, version: None, error: Some(trouble.text.into_owned()) }
    }

    /// The same, but for this.
    pub(super) fn but(self, status: Condition, error: impl Into<Cow<'static, str>>) -> Self {
        Self { status, error: Some(error.into().into_owned()), ..self }
    }
}

/// What a report says of one component.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Of what.
    pub component: Component,
    /// How it was found.
    pub condition: Condition,
    /// Milliseconds until it answered.
    pub latency_ms: Option<f64>,
    /// What is wrong.
    pub error: Option<String>,
}

impl HealthReport {
    /// Puts the readings together and judges the whole.
    pub(super) fn new(
        checked_at: OffsetDateTime,
        took: Duration,
        infrastructure: Infrastructure,
        services: Services,
        integrations: Integrations,
        tenants: Option<TenantCounts>,
    ) -> Self {
        let duration_ms = milliseconds(took);
        let mut report =
            Self { status: Status::Healthy, checked_at, duration_ms, infrastructure, services, integrations, tenants };
        let stores = report.stores().into_iter().map(|(_, reading)| reading.status);
        report.status = if stores.into_iter().any(|condition| condition == Condition::Down) {
            Status::Unhealthy
        } else if report.parts().iter().any(|finding| finding.condition != Condition::Up) {
            Status::Degraded
        } else {
            Status::Healthy
        };
        report
    }

    /// Whether the platform can be used.
    pub fn is_available(&self) -> bool {
        self.status != Status::Unhealthy
    }

    /// When the last probe had ended.
    pub(super) fn ended_at(&self) -> OffsetDateTime {
        self.checked_at + Duration::from_secs_f64(self.duration_ms.clamp(0.0, 1e6) / 1000.0)
    }

    /// One finding for the whole, and one for each component of which something is known.
    pub fn findings(&self) -> Vec<Finding> {
        let parts = self.parts();
        let unwell = parts.iter().filter(|finding| finding.condition != Condition::Up);
        let unwell: Vec<_> = unwell.map(|finding| finding.component.as_str()).collect();
        let whole = Finding {
            component: Component::System,
            condition: match self.status {
                Status::Healthy => Condition::Up,
                Status::Degraded => Condition::Degraded,
                Status::Unhealthy => Condition::Down,
            },
            latency_ms: Some(self.duration_ms),
            error: (!unwell.is_empty()).then(|| unwell.join(", ")),
        };
        std::iter::once(whole).chain(parts).collect()
    }

    fn stores(&self) -> [(Component, &Reading); 6] {
        let stores = &self.infrastructure;
        [
            (Component::PostgreSql, &stores.postgresql.reading),
            (Component::MongoDb, &stores.mongodb.reading),
            (Component::Redis, &stores.redis),
            (Component::Kafka, &stores.kafka.reading),
            (Component::Minio, &stores.minio),
            (Component::Sqs, &stores.sqs.reading),
        ]
    }

    fn parts(&self) -> Vec<Finding> {
        let stores = self.stores().into_iter().map(|(component, reading)| Finding {
            component,
            condition: reading.status,
            latency_ms: reading.latency_ms,
            error: reading.error.clone(),
        });
        let services = self.services.each().into_iter().filter_map(|(service, reading)| {
            let condition = match reading.status {
                ServiceStatus::Up => Condition::Up,
                ServiceStatus::Down => Condition::Down,
                ServiceStatus::NotConfigured => return None,
            };
            let (latency_ms, error) = (reading.latency_ms, reading.error.clone());
            Some(Finding { component: Component::Service(service), condition, latency_ms, error })
        });
        let integrations = self.integrations.each().into_iter().filter_map(|(channel, reading)| {
            let condition = match reading.status {
                IntegrationStatus::Operational => Condition::Up,
                IntegrationStatus::Degraded => Condition::Degraded,
                IntegrationStatus::Down => Condition::Down,
                IntegrationStatus::NotConfigured => return None,
            };
            let error = reading.reason.clone();
            Some(Finding { component: Component::Integration(channel), condition, latency_ms: None, error })
        });
        stores.chain(services).chain(integrations).collect()
    }
}

/// Milliseconds, to the microsecond.
pub(super) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
