//! The components of the platform, and their statuses.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::types::{Channel, InvalidValue, Microservice};

/// A monitored part of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Component {
    /// The platform as a whole.
    System,
    /// The platform database and the tenants' clusters.
    PostgreSql,
    /// The tenants' clusters.
    MongoDb,
    Redis,
    /// The topic of events.
    Kafka,
    /// The tenants' bucket, on MinIO or S3.
    Minio,
    /// The queues.
    Sqs,
    Service(Microservice),
    /// The provider of a channel.
    Integration(Channel),
}

keyword_schema!(Component, Component::ALL.map(Component::as_str), "postgresql", "A monitored part of the platform.");
named_parameter!(Component);
text_in_sql!(Component);

impl Component {
    pub const ALL: [Self; 15] = [
        Self::System,
        Self::PostgreSql,
        Self::MongoDb,
        Self::Redis,
        Self::Kafka,
        Self::Minio,
        Self::Sqs,
        Self::Service(Microservice::WebhookIngestor),
        Self::Service(Microservice::WsServer),
        Self::Service(Microservice::AiAgent),
        Self::Service(Microservice::BillingService),
        Self::Integration(Channel::WhatsApp),
        Self::Integration(Channel::Instagram),
        Self::Integration(Channel::Messenger),
        Self::Integration(Channel::Email),
    ];

    /// The name in JSON and in the database.
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
            .ok_or_else(|| InvalidValue::one_of(&Self::ALL.map(Self::as_str)))
    }
}

impl Serialize for Component {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

keyword_enum!(
    /// The status of a component.
    #[cfg_attr(feature = "http", schema(as = Condition))]
    #[derive(Deserialize)]
    ComponentStatus {
        /// It works.
        Up = "up",
        /// It works, but with a problem.
        Degraded = "degraded",
        /// It does not work, or does not respond in time.
        Down = "down",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_parses_from_its_name_and_the_error_lists_all_names() {
        for component in Component::ALL {
            assert_eq!(component.as_str().parse(), Ok(component));
        }
        let InvalidValue { detail: text, .. } = "mysql".parse::<Component>().unwrap_err();
        assert!(Component::ALL.iter().all(|component| text.contains(component.as_str())), "{text}");
    }
}
