//! The platform's own microservices, by their health URLs; and whatever else answers to HTTP.

use std::time::Duration;

use reqwest::Client;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::health::checks::{
    probe::{Answered, Deadline, Trouble},
    report::milliseconds,
};
use crate::{clients::web, types::Service};

/// What is read of an answer.
const MAX_BYTES: usize = 64 * 1024;

/// The platform's own microservices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct Services {
    /// Takes what the channels' providers send.
    pub webhook_ingestor: ServiceReading,
    /// Holds the agents' WebSockets.
    pub ws_server: ServiceReading,
    /// Answers for agents.
    pub ai_agent: ServiceReading,
    /// Writes bills.
    pub billing_service: ServiceReading,
}

impl Services {
    pub(super) fn each(&self) -> [(Service, &ServiceReading); 4] {
        [
            (Service::WebhookIngestor, &self.webhook_ingestor),
            (Service::WsServer, &self.ws_server),
            (Service::AiAgent, &self.ai_agent),
            (Service::BillingService, &self.billing_service),
        ]
    }
}

/// A microservice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ServiceReading {
    /// Whether its health URL answers 2xx.
    pub status: ServiceStatus,
    /// Milliseconds until it answered, whatever it answered; `null` where it did not.
    pub latency_ms: Option<f64>,
    /// Its version, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a microservice was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ServiceStatus {
    /// It answers 2xx.
    Up,
    /// It does not.
    Down,
    /// It has no health URL.
    NotConfigured,
}

/// Asks by HTTP.
pub(super) struct Web {
    timeout: Duration,
    client: OnceCell<Client>,
}

/// What a URL answered.
pub(super) struct WebAnswer {
    pub(super) status: u16,
    /// `None` where it is too long.
    pub(super) body: Option<Vec<u8>>,
}

impl WebAnswer {
    /// What is wrong with it; nothing, for a 2xx.
    pub(super) fn fault(&self) -> Option<String> {
        match self.status {
            200..300 => None,
            300..400 => Some(format!("it answers {}, a redirection, which is not followed", self.status)),
            status => Some(format!("it answers {status}")),
        }
    }
}

impl Web {
    /// Connects to nothing yet.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, client: OnceCell::new() }
    }

    /// `GET`, by the deadline.
    pub(super) async fn get(&self, url: &str, deadline: Deadline) -> Result<Answered<WebAnswer>, Trouble> {
        deadline.ask(self.fetch(url)).await
    }

    async fn fetch(&self, url: &str) -> Result<WebAnswer, Trouble> {
        let client = self.client.get_or_try_init(async || web::client(self.timeout)).await;
        let client = client.map_err(|error| Trouble::because("it cannot be asked", &error))?;
        let response = client.get(url).send().await.map_err(|error| trouble(&error.without_url()))?;
        let status = response.status().as_u16();
        let body = web::read(response, MAX_BYTES).await.map_err(|error| trouble(&error.without_url()))?;
        Ok(WebAnswer { status, body })
    }
}

fn trouble(error: &reqwest::Error) -> Trouble {
    let text = if error.is_timeout() {
        "no answer in time"
    } else if error.is_builder() {
        "its URL is not usable"
    } else if error.is_connect() {
        "it cannot be reached"
    } else if error.is_body() || error.is_decode() {
        "it breaks off its answer"
    } else {
        "its answer is not HTTP"
    };
    Trouble::because(text, error)
}

/// Reads how a service is.
pub(super) async fn read(web: &Web, service: Service, url: Option<&str>, deadline: Deadline) -> ServiceReading {
    let Some(url) = url else {
        return ServiceReading { status: ServiceStatus::NotConfigured, latency_ms: None, version: None, error: None };
    };
    match web.get(url, deadline).await {
        Ok(Answered { answer, took }) => {
            let error = answer.fault();
            if let Some(error) = &error {
                Trouble::new(error.clone()).log(service.as_str());
            }
            ServiceReading {
                status: if error.is_none() { ServiceStatus::Up } else { ServiceStatus::Down },
                latency_ms: Some(milliseconds(took)),
                version: answer.body.as_deref().and_then(version),
                error,
            }
        }
        Err(trouble) => {
            trouble.log(service.as_str());
            let error = Some(trouble.text.into_owned());
            ServiceReading { status: ServiceStatus::Down, latency_ms: None, version: None, error }
        }
    }
}

/// The version that a JSON answer tells, if it does.
fn version(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Told {
        version: String,
    }
    let told: Told = serde_json::from_slice(body).ok()?;
    let is_plain = |character: char| character.is_ascii_alphanumeric() || ".-+_".contains(character);
    ((1..=64).contains(&told.version.len()) && told.version.chars().all(is_plain)).then_some(told.version)
}
