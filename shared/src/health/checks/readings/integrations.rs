//! Readings of the channels' providers.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::types::{Channel, optional_timestamp};

/// The providers of the channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Integrations {
    /// WhatsApp.
    pub whatsapp: IntegrationReading,
    /// Instagram.
    pub instagram: IntegrationReading,
    /// Messenger.
    pub messenger: IntegrationReading,
    /// E-mail.
    pub email: IntegrationReading,
}

impl Integrations {
    pub(in crate::health::checks) fn each(&self) -> [(Channel, &IntegrationReading); 4] {
        [
            (Channel::WhatsApp, &self.whatsapp),
            (Channel::Instagram, &self.instagram),
            (Channel::Messenger, &self.messenger),
            (Channel::Email, &self.email),
        ]
    }
}

/// A provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct IntegrationReading {
    /// The status of the provider, as far as it is known.
    pub status: IntegrationStatus,
    /// The number of active tenants with a connected channel of this kind; `null` when the platform database does not
    /// respond.
    pub tenants: Option<i64>,
    /// The ingestor's last success with the provider, if the status is derived from it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "optional_timestamp",
        deserialize_with = "time::serde::rfc3339::option::deserialize"
    )]
    pub last_success_at: Option<OffsetDateTime>,
    /// Why the status is not `operational`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

keyword_enum!(
    /// The status of a provider.
    #[derive(Deserialize)]
    IntegrationStatus {
        /// It works.
        Operational = "operational",
        /// It works in part, or its last success is too long ago.
        Degraded = "degraded",
        /// It does not work.
        Down = "down",
        /// Neither a status page nor a success of the ingestor is known.
        NotConfigured = "not_configured",
    }
);
