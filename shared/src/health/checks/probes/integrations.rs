//! The status of the channels' providers, derived from evidence and never guessed.
//!
//! A provider with a status URL has the status of that page. Otherwise the status follows from the ingestor's last success
//! with the provider, which the ingestor writes to Redis. Without either, the status is unknown.

use std::time::Duration;

use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    health::checks::{
        deadline::ProbeDeadline,
        probes::web::{WebProbe, WebResponse},
        readings::{IntegrationReading, IntegrationStatus},
    },
    types::Channel,
};

/// What is known about a provider.
pub(super) enum ProviderEvidence {
    /// The status page of the provider, and the reason of a status that is not `operational`.
    StatusPage(IntegrationStatus, Option<String>),
    /// When the ingestor last succeeded with the provider, if it ever did.
    LastSuccess(Option<OffsetDateTime>),
    /// The ingestor's last success could not be read.
    Unreadable,
}

pub(super) async fn fetch_status_page(
    web: &WebProbe,
    channel: Channel,
    url: &str,
    deadline: ProbeDeadline,
) -> ProviderEvidence {
    let (status, reason) = match web.get(url, deadline).await {
        Ok(response) => judge(&response.value),
        Err(error) => {
            error.log(channel.as_str());
            (IntegrationStatus::Down, Some(format!("status URL: {}", error.text)))
        }
    };
    ProviderEvidence::StatusPage(status, reason)
}

/// Interprets the response of a status URL: `status.indicator` of statuspage.io, or the status code alone.
fn judge(response: &WebResponse) -> (IntegrationStatus, Option<String>) {
    #[derive(Deserialize)]
    struct StatusPage {
        status: StatusPageStatus,
    }
    #[derive(Deserialize)]
    struct StatusPageStatus {
        indicator: String,
    }
    if let Some(problem) = response.problem() {
        return (IntegrationStatus::Down, Some(format!("status URL: {problem}")));
    }
    let page = response.body.as_deref().and_then(|body| serde_json::from_slice::<StatusPage>(body).ok());
    // Without an indicator, 2xx means that the provider works.
    let Some(StatusPage { status: StatusPageStatus { indicator } }) = page else {
        return (IntegrationStatus::Operational, None);
    };
    let problems = |severity: &str| Some(format!("the provider reports {severity} problems"));
    match indicator.as_str() {
        "none" => (IntegrationStatus::Operational, None),
        "minor" => (IntegrationStatus::Degraded, problems("minor")),
        "major" => (IntegrationStatus::Degraded, problems("major")),
        "critical" => (IntegrationStatus::Down, problems("critical")),
        "maintenance" => (IntegrationStatus::Degraded, Some("the provider reports maintenance".to_owned())),
        _ => (IntegrationStatus::Degraded, problems("unspecified")),
    }
}

/// Derives the reading of a provider from the evidence.
pub(super) fn read(
    evidence: ProviderEvidence,
    tenants: Option<i64>,
    stale_after: Duration,
    now: OffsetDateTime,
) -> IntegrationReading {
    let unknown = |reason: &str| (IntegrationStatus::NotConfigured, Some(reason.to_owned()));
    let mut last_success_at = None;
    let (status, reason) = match evidence {
        ProviderEvidence::StatusPage(status, reason) => (status, reason),
        ProviderEvidence::Unreadable => {
            unknown("no status URL is configured, and the ingestor's last success cannot be read from Redis")
        }
        ProviderEvidence::LastSuccess(at) => {
            last_success_at = at;
            match at {
                Some(at) if now - at <= stale_after => (IntegrationStatus::Operational, None),
                // Without use there is nothing that could succeed.
                _ if tenants == Some(0) => unknown("no active tenant has a connected channel of this kind"),
                Some(_) => {
                    let minutes = stale_after.as_secs() / 60;
                    let reason = format!("the ingestor has had no success for {minutes} minutes");
                    (IntegrationStatus::Degraded, Some(reason))
                }
                None => unknown("no status URL is configured, and the ingestor has recorded no success"),
            }
        }
    };
    IntegrationReading { status, tenants, last_success_at, reason }
}
