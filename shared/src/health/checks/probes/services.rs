//! Probes the platform's microservices by their health URLs.

use serde::Deserialize;

use crate::{
    health::checks::{
        deadline::ProbeDeadline,
        error::ProbeError,
        probes::web::WebProbe,
        readings::{ServiceReading, ServiceStatus},
    },
    types::Microservice,
};

pub(super) async fn read(
    web: &WebProbe,
    service: Microservice,
    url: Option<&str>,
    deadline: ProbeDeadline,
) -> ServiceReading {
    let Some(url) = url else {
        return ServiceReading { status: ServiceStatus::NotConfigured, latency_ms: None, version: None, error: None };
    };
    match web.get(url, deadline).await {
        Ok(response) => {
            let error = response.value.problem();
            if let Some(error) = &error {
                ProbeError::new(error.clone()).log(service.as_str());
            }
            ServiceReading {
                status: if error.is_none() { ServiceStatus::Up } else { ServiceStatus::Down },
                latency_ms: Some(response.latency_ms()),
                version: response.value.body.as_deref().and_then(parse_version),
                error,
            }
        }
        Err(error) => {
            error.log(service.as_str());
            let error = Some(error.text.into_owned());
            ServiceReading { status: ServiceStatus::Down, latency_ms: None, version: None, error }
        }
    }
}

/// The field `version` of a JSON response, if it is a plain version.
fn parse_version(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct VersionBody {
        version: String,
    }
    let VersionBody { version } = serde_json::from_slice(body).ok()?;
    let is_plain = |character: char| character.is_ascii_alphanumeric() || ".-+_".contains(character);
    ((1..=64).contains(&version.len()) && version.chars().all(is_plain)).then_some(version)
}
