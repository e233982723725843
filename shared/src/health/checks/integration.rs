//! The providers behind the channels: reported from what the platform knows, and never made up.
//!
//! Where a provider has a status URL, that is what tells. Otherwise the platform's ingestor does, by the time of its last
//! success with it, which it keeps in Redis. Where neither says anything, nothing is known.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::health::checks::{
    probe::{Answered, Deadline},
    service::{Web, WebAnswer},
};
use crate::types::{Channel, optional_timestamp};

/// The providers behind the channels.
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
    pub(super) fn each(&self) -> [(Channel, &IntegrationReading); 4] {
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
    /// How it is, as far as it is known.
    pub status: IntegrationStatus,
    /// How many active tenants have a connected channel of it; `null` when the platform database does not say.
    pub tenants: Option<i64>,
    /// When the ingestor last succeeded with it, where that is what tells how it is.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "optional_timestamp",
        deserialize_with = "time::serde::rfc3339::option::deserialize"
    )]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, format = DateTime))]
    pub last_success_at: Option<OffsetDateTime>,
    /// Why the status is not `operational`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a provider was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum IntegrationStatus {
    /// It works.
    Operational,
    /// It works in part, or has not been seen to work for a while.
    Degraded,
    /// It does not work.
    Down,
    /// Nothing is known of it.
    NotConfigured,
}

/// What one source says of a provider.
pub(super) enum Word {
    /// Its status URL.
    Provider(IntegrationStatus, Option<String>),
    /// When the ingestor last succeeded with it, if it ever did.
    Ingestor(Option<OffsetDateTime>),
    /// The ingestor's word could not be read.
    Unread,
}

/// Asks a provider's status URL.
pub(super) async fn ask_provider(web: &Web, channel: Channel, url: &str, deadline: Deadline) -> Word {
    let (status, reason) = match web.get(url, deadline).await {
        Ok(Answered { answer, .. }) => judge(&answer),
        Err(trouble) => {
            trouble.log(channel.as_str());
            (IntegrationStatus::Down, Some(format!("of its status URL: {}", trouble.text)))
        }
    };
    Word::Provider(status, reason)
}

/// What an answer of a status URL means.
fn judge(answer: &WebAnswer) -> (IntegrationStatus, Option<String>) {
    #[derive(Deserialize)]
    struct Page {
        status: PageStatus,
    }
    #[derive(Deserialize)]
    struct PageStatus {
        indicator: String,
    }
    if let Some(fault) = answer.fault() {
        return (IntegrationStatus::Down, Some(format!("of its status URL: {fault}")));
    }
    let page = answer.body.as_deref().and_then(|body| serde_json::from_slice::<Page>(body).ok());
    // Without an indicator it is the 2xx that tells.
    let Some(Page { status: PageStatus { indicator } }) = page else { return (IntegrationStatus::Operational, None) };
    let told = |text: &str| Some(format!("the provider reports {text} trouble"));
    match indicator.as_str() {
        "none" => (IntegrationStatus::Operational, None),
        "minor" => (IntegrationStatus::Degraded, told("minor")),
        "major" => (IntegrationStatus::Degraded, told("major")),
        "critical" => (IntegrationStatus::Down, told("critical")),
        "maintenance" => (IntegrationStatus::Degraded, Some("the provider reports maintenance".to_owned())),
        _ => (IntegrationStatus::Degraded, told("some")),
    }
}

/// Puts together what is known of a provider.
pub(super) fn read(word: Word, tenants: Option<i64>, stale_after: Duration, now: OffsetDateTime) -> IntegrationReading {
    let unknown = |reason: &str| (IntegrationStatus::NotConfigured, Some(reason.to_owned()));
    let mut last_success_at = None;
    let (status, reason) = match (word, tenants) {
        (Word::Provider(status, reason), _) => (status, reason),
        (Word::Unread, _) => unknown("it has no status URL, and the ingestor's last success cannot be read from Redis"),
        (Word::Ingestor(at), tenants) => {
            last_success_at = at;
            match at {
                Some(at) if now - at <= stale_after => (IntegrationStatus::Operational, None),
                // Where nobody uses it there is nothing to succeed with.
                _ if tenants == Some(0) => unknown("no active tenant has a connected channel of it"),
                Some(_) => {
                    let minutes = stale_after.as_secs() / 60;
                    (IntegrationStatus::Degraded, Some(format!("the ingestor had no success for {minutes} minutes")))
                }
                None => unknown("it has no status URL, and the ingestor has told of no success"),
            }
        }
    };
    IntegrationReading { status, tenants, last_success_at, reason }
}
