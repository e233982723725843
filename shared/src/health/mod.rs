//! Health: the components of the platform, and how each is found.

#[cfg(feature = "health")]
mod checks;
#[cfg(feature = "postgres")]
pub mod store;

#[cfg(feature = "health")]
pub use checks::*;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    tenants::TenantStatus,
    types::{Channel, InvalidValue, Service},
};

/// Something whose health is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Component {
    /// The platform as a whole.
    System,
    /// The platform database and the clusters of tenants.
    PostgreSql,
    /// The clusters of tenants.
    MongoDb,
    /// Redis.
    Redis,
    /// The topic of events.
    Kafka,
    /// The bucket of tenants, on MinIO or S3.
    Minio,
    /// The queues.
    Sqs,
    /// A microservice.
    Service(Service),
    /// The provider behind a kind of channel.
    Integration(Channel),
}

named_parameter!(Component);
keyword_schema!(Component, Component::ALL.map(Component::as_str), "postgresql", "Something whose health is watched.");

impl Component {
    /// Every component.
    pub const ALL: [Self; 15] = [
        Self::System,
        Self::PostgreSql,
        Self::MongoDb,
        Self::Redis,
        Self::Kafka,
        Self::Minio,
        Self::Sqs,
        Self::Service(Service::WebhookIngestor),
        Self::Service(Service::WsServer),
        Self::Service(Service::AiAgent),
        Self::Service(Service::BillingService),
        Self::Integration(Channel::WhatsApp),
        Self::Integration(Channel::Instagram),
        Self::Integration(Channel::Messenger),
        Self::Integration(Channel::Email),
    ];

    /// As in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::PostgreSql => "postgresql",
            Self::MongoDb => "mongodb",
            Self::Redis => "redis",
            Self::Kafka => "kafka",
            Self::Minio => "minio",
            Self::Sqs => "sqs",
            Self::Service(service) => service.as_str(),
            Self::Integration(channel) => channel.as_str(),
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Component {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::ALL
            .into_iter()
            .find(|component| component.as_str() == text)
            .ok_or_else(|| InvalidValue::new(format!("must be one of {}", Self::ALL.map(Self::as_str).join(", "))))
    }
}

impl Serialize for Component {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How a component is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Well.
    Up,
    /// It works, and something about it is not as it should be.
    Degraded,
    /// It does not work.
    Down,
}

impl Condition {
    /// As in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

impl FromStr for Condition {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        [Self::Up, Self::Degraded, Self::Down]
            .into_iter()
            .find(|condition| condition.as_str() == text)
            .ok_or_else(|| InvalidValue::new("must be one of up, degraded, down"))
    }
}

/// How many tenants there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct TenantCounts {
    /// Being made.
    pub provisioning: i64,
    /// In use.
    pub active: i64,
    /// Closed by an operator.
    pub suspended: i64,
    /// Could not be made.
    pub failed: i64,
    /// Being removed.
    pub deleting: i64,
    /// Gone.
    pub deleted: i64,
    /// All of these.
    pub total: i64,
}

impl TenantCounts {
    /// Adds so many tenants of a status.
    pub fn add(&mut self, status: TenantStatus, count: i64) {
        let of_status = match status {
            TenantStatus::Provisioning => &mut self.provisioning,
            TenantStatus::Active => &mut self.active,
            TenantStatus::Suspended => &mut self.suspended,
            TenantStatus::Failed => &mut self.failed,
            TenantStatus::Deleting => &mut self.deleting,
            TenantStatus::Deleted => &mut self.deleted,
        };
        *of_status += count;
        self.total += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_is_known_by_its_name_and_the_names_are_told_to_who_knows_them_not() {
        for component in Component::ALL {
            assert_eq!(component.as_str().parse(), Ok(component));
        }
        let InvalidValue(text) = "mysql".parse::<Component>().unwrap_err();
        assert!(Component::ALL.iter().all(|component| text.contains(component.as_str())), "{text}");
    }
}
