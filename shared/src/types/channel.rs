//! Channels and services, which the configuration names.

/// A kind of channel, which connects a tenant to its customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    WhatsApp,
    Instagram,
    Messenger,
    Email,
}

impl Channel {
    pub const ALL: [Self; 4] = [Self::WhatsApp, Self::Instagram, Self::Messenger, Self::Email];

    /// The name in JSON and in the databases.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WhatsApp => "whatsapp",
            Self::Instagram => "instagram",
            Self::Messenger => "messenger",
            Self::Email => "email",
        }
    }
}

/// A microservice of the platform outside this repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Microservice {
    /// Receives the messages of the channels' providers.
    WebhookIngestor,
    /// Holds the users' WebSocket connections.
    WsServer,
    /// Answers messages in place of a user.
    AiAgent,
    /// Issues invoices.
    BillingService,
}

impl Microservice {
    pub const ALL: [Self; 4] = [Self::WebhookIngestor, Self::WsServer, Self::AiAgent, Self::BillingService];

    /// The names of those that `names` does not contain.
    pub(crate) fn all_but(names: &[String]) -> Vec<String> {
        let all = Self::ALL.into_iter().map(|service| service.as_str().to_owned());
        all.filter(|name| !names.contains(name)).collect()
    }

    /// The name in JSON and in the databases.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebhookIngestor => "webhook-ingestor",
            Self::WsServer => "ws-server",
            Self::AiAgent => "ai-agent",
            Self::BillingService => "billing-service",
        }
    }
}
