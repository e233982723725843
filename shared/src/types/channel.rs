//! Parts of the platform that are named in configuration: channels and services.

/// A kind of channel: what connects a tenant to its customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// WhatsApp.
    WhatsApp,
    /// Instagram.
    Instagram,
    /// Messenger.
    Messenger,
    /// E-mail.
    Email,
}

impl Channel {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::WhatsApp, Self::Instagram, Self::Messenger, Self::Email];

    /// As in JSON and in the databases.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WhatsApp => "whatsapp",
            Self::Instagram => "instagram",
            Self::Messenger => "messenger",
            Self::Email => "email",
        }
    }
}

/// A microservice of the platform that is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Takes what the channels' providers send.
    WebhookIngestor,
    /// Holds the agents' WebSockets.
    WsServer,
    /// Answers for agents.
    AiAgent,
    /// Writes bills.
    BillingService,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 4] = [Self::WebhookIngestor, Self::WsServer, Self::AiAgent, Self::BillingService];

    /// As in JSON and in the databases.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebhookIngestor => "webhook-ingestor",
            Self::WsServer => "ws-server",
            Self::AiAgent => "ai-agent",
            Self::BillingService => "billing-service",
        }
    }
}
