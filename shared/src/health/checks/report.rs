//! The report: all readings, and the status of the platform as a whole.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    health::{
        Component, ComponentSample, ComponentStatus, TenantCounts,
        checks::{
            deadline::milliseconds,
            readings::{Infrastructure, IntegrationStatus, Integrations, ServiceStatus, Services, StoreReading},
        },
    },
    types::timestamp,
};

/// The health of the platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct HealthReport {
    /// The status of the platform as a whole.
    pub status: HealthStatus,
    /// When the probes began.
    #[serde(serialize_with = "timestamp", deserialize_with = "time::serde::rfc3339::deserialize")]
    pub checked_at: OffsetDateTime,
    /// Milliseconds until the last probe had ended.
    pub duration_ms: f64,
    /// The stores and queues.
    pub infrastructure: Infrastructure,
    /// The platform's microservices.
    pub services: Services,
    /// The providers of the channels.
    pub integrations: Integrations,
    /// The number of tenants by status; `null` when the platform database does not respond.
    pub tenants: Option<TenantCounts>,
}

keyword_enum!(
    /// The status of the platform as a whole.
    #[derive(Deserialize)]
    HealthStatus {
        /// Every component is up.
        Healthy = "healthy",
        /// The platform works, but a component has a problem.
        Degraded = "degraded",
        /// A store or queue is down.
        Unhealthy = "unhealthy",
    }
);

impl HealthReport {
    /// Combines the readings and derives the status.
    pub(super) fn new(
        checked_at: OffsetDateTime,
        took: Duration,
        infrastructure: Infrastructure,
        services: Services,
        integrations: Integrations,
        tenants: Option<TenantCounts>,
    ) -> Self {
        let (status, duration_ms) = (HealthStatus::Healthy, milliseconds(took));
        let mut report = Self { status, checked_at, duration_ms, infrastructure, services, integrations, tenants };
        report.status = if report.stores().iter().any(|(_, reading)| reading.status == ComponentStatus::Down) {
            HealthStatus::Unhealthy
        } else if report.parts().iter().any(|part| part.status != ComponentStatus::Up) {
            HealthStatus::Degraded
        } else {
            HealthStatus::Healthy
        };
        report
    }

    /// Whether the platform can be used.
    pub fn is_available(&self) -> bool {
        self.status != HealthStatus::Unhealthy
    }

    /// When the last probe had ended.
    pub(super) fn ended_at(&self) -> OffsetDateTime {
        self.checked_at + Duration::from_secs_f64(self.duration_ms.clamp(0.0, 1e6) / 1000.0)
    }

    /// The age of the report. A report with a time in the future, from a clock that is ahead of ours, has the age 0.
    pub(super) fn age(&self) -> Duration {
        Duration::try_from(OffsetDateTime::now_utc() - self.checked_at).unwrap_or_default()
    }

    /// One sample of the platform as a whole, and one of each component whose status is known.
    pub fn samples(&self) -> Vec<ComponentSample> {
        let parts = self.parts();
        let impaired = parts.iter().filter(|part| part.status != ComponentStatus::Up);
        let impaired: Vec<_> = impaired.map(|part| part.component.as_str()).collect();
        let system = ComponentSample {
            component: Component::System,
            status: match self.status {
                HealthStatus::Healthy => ComponentStatus::Up,
                HealthStatus::Degraded => ComponentStatus::Degraded,
                HealthStatus::Unhealthy => ComponentStatus::Down,
            },
            latency_ms: Some(self.duration_ms),
            error: (!impaired.is_empty()).then(|| impaired.join(", ")),
        };
        std::iter::once(system).chain(parts).collect()
    }

    fn stores(&self) -> [(Component, &StoreReading); 6] {
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

    fn parts(&self) -> Vec<ComponentSample> {
        let stores = self.stores().into_iter().map(|(component, reading)| ComponentSample {
            component,
            status: reading.status,
            latency_ms: reading.latency_ms,
            error: reading.error.clone(),
        });
        let services = self.services.each().into_iter().filter_map(|(service, reading)| {
            let status = match reading.status {
                ServiceStatus::Up => ComponentStatus::Up,
                ServiceStatus::Down => ComponentStatus::Down,
                ServiceStatus::NotConfigured => return None,
            };
            let (latency_ms, error) = (reading.latency_ms, reading.error.clone());
            Some(ComponentSample { component: Component::Service(service), status, latency_ms, error })
        });
        let integrations = self.integrations.each().into_iter().filter_map(|(channel, reading)| {
            let status = match reading.status {
                IntegrationStatus::Operational => ComponentStatus::Up,
                IntegrationStatus::Degraded => ComponentStatus::Degraded,
                IntegrationStatus::Down => ComponentStatus::Down,
                IntegrationStatus::NotConfigured => return None,
            };
            let error = reading.reason.clone();
            Some(ComponentSample { component: Component::Integration(channel), status, latency_ms: None, error })
        });
        stores.chain(services).chain(integrations).collect()
    }
}
