//! The platform's microservices that `check-health` probes. Other teams build them; locally, stand-ins run instead.

use crate::ports::Ports;

#[derive(Clone, Copy, Debug)]
pub(crate) struct PlatformService {
    pub(crate) name: &'static str,
    /// The variable that contains its health URL.
    pub(crate) variable: &'static str,
    index: u16,
}

pub(crate) const ALL: [PlatformService; 4] = [
    PlatformService { name: "webhook-ingestor", variable: "WEBHOOK_INGESTOR_HEALTH_URL", index: 0 },
    PlatformService { name: "ws-server", variable: "WS_SERVER_HEALTH_URL", index: 1 },
    PlatformService { name: "ai-agent", variable: "AI_AGENT_HEALTH_URL", index: 2 },
    PlatformService { name: "billing-service", variable: "BILLING_SERVICE_HEALTH_URL", index: 3 },
];

impl PlatformService {
    /// The port of its stand-in.
    pub(crate) fn port(self, ports: &Ports) -> u16 {
        ports.service(self.index)
    }
}
