//! Readings of the platform's microservices.

use serde::{Deserialize, Serialize};

use crate::types::Microservice;

/// The platform's microservices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub struct Services {
    /// Receives the messages of the channels' providers.
    pub webhook_ingestor: ServiceReading,
    /// Holds the users' WebSocket connections.
    pub ws_server: ServiceReading,
    /// Answers messages in place of a user.
    pub ai_agent: ServiceReading,
    /// Issues invoices.
    pub billing_service: ServiceReading,
}

impl Services {
    pub(in crate::health::checks) fn each(&self) -> [(Microservice, &ServiceReading); 4] {
        [
            (Microservice::WebhookIngestor, &self.webhook_ingestor),
            (Microservice::WsServer, &self.ws_server),
            (Microservice::AiAgent, &self.ai_agent),
            (Microservice::BillingService, &self.billing_service),
        ]
    }
}

/// A microservice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ServiceReading {
    /// Whether its health URL responds with 2xx.
    pub status: ServiceStatus,
    /// Milliseconds until it responded, with any status code; `null` if it did not.
    pub latency_ms: Option<f64>,
    /// Its version, if it reports one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The problem, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

keyword_enum!(
    /// The status of a microservice.
    #[derive(Deserialize)]
    ServiceStatus {
        /// Its health URL responds with 2xx.
        Up = "up",
        /// Its health URL responds with another status code, or not in time.
        Down = "down",
        /// No health URL is configured.
        NotConfigured = "not_configured",
    }
);
