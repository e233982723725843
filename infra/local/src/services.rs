//! The stand-ins of the platform's microservices, which other teams make: what health asks of them, and how a developer
//! switches them.

use std::fs;

use clap::ValueEnum;

use crate::{
    checkout::{Checkout, write_whole},
    commands::status::Line,
    failure::{Failure, Result},
    stack::Stack,
};

/// A service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// What it is called.
    pub(crate) name: &'static str,
    /// The variable that names its health URL.
    pub(crate) variable: &'static str,
    place: u16,
}

/// All of them.
pub(crate) const ALL: [Service; 4] = [
    Service { name: "webhook-ingestor", variable: "WEBHOOK_INGESTOR_HEALTH_URL", place: 0 },
    Service { name: "ws-server", variable: "WS_SERVER_HEALTH_URL", place: 1 },
    Service { name: "ai-agent", variable: "AI_AGENT_HEALTH_URL", place: 2 },
    Service { name: "billing-service", variable: "BILLING_SERVICE_HEALTH_URL", place: 3 },
];

impl Service {
    /// The port of its stand-in.
    pub(crate) fn port(self, ports: &crate::ports::Ports) -> u16 {
        ports.service(self.place)
    }
}

/// What a stand-in does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Mode {
    /// Answers at once
    Up,
    /// Takes no connection
    Down,
    /// Answers after 700 ms
    Slow,
    /// Takes connections and never answers
    Hang,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Slow => "slow",
            Self::Hang => "hang",
        }
    }
}

/// Where the stand-ins read what they are to do: a file each, `service-NAME.mode`.
pub(crate) fn folder(checkout: &Checkout) -> std::path::PathBuf {
    checkout.local("run")
}

/// Switches a stand-in, at once and until it is switched again.
pub(crate) fn switch(stack: &Stack, name: &str, mode: Mode) -> Result<()> {
    let service = ALL.into_iter().find(|service| service.name == name).ok_or_else(|| {
        Failure::new(format!("There is no service {name}"), format!("there are {}", ALL.map(|it| it.name).join(", ")))
    })?;
    if stack.given.get(service.variable).is_some() {
        return Err(Failure::new(format!("{name} cannot be switched"), format!("{} names yours", service.variable)));
    }
    write_whole(&mode_file(&stack.checkout, name), mode.name())
}

fn mode_file(checkout: &Checkout, name: &str) -> std::path::PathBuf {
    folder(checkout).join(format!("service-{name}.mode"))
}

/// A line for each; `running` says whether the stand-ins are.
pub(crate) fn status(stack: &Stack, running: bool) -> Vec<Line> {
    let line = |service: Service| {
        let name = format!("  {}", service.name);
        if stack.given.get(service.variable).is_some() {
            let says = format!("named by {}, not ours to watch", service.variable);
            return Line { name, up: true, state: "yours", pid: None, port: None, says };
        }
        let mode = fs::read_to_string(mode_file(&stack.checkout, service.name)).unwrap_or_default();
        let up = running && !["down", "hang"].contains(&mode.trim());
        let says = match mode.trim() {
            "" | "up" => "a stand-in".to_owned(),
            mode => format!("a stand-in, switched {mode} by `cargo dev service`"),
        };
        let port = Some(service.port(&stack.ports));
        Line { name, up, state: if up { "up" } else { "down" }, pid: None, port, says }
    };
    ALL.map(line).into()
}
