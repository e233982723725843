//! The stand-ins of the platform's microservices: their process, switching them, and their status.

use std::{fs, path::PathBuf, process::Command};

use clap::ValueEnum;

use crate::{
    cargo::binary,
    checkout::{Checkout, write_file},
    error::{DevError, Result},
    process::detached,
    services::{self, PlatformService},
    stack::LocalStack,
    status_line::StatusLine,
};

/// How a stand-in behaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ServiceMode {
    /// Answers at once
    Up,
    /// Refuses connections
    Down,
    /// Answers after 700 ms
    Slow,
    /// Accepts connections and never answers
    Hang,
}

impl ServiceMode {
    fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Slow => "slow",
            Self::Hang => "hang",
        }
    }
}

/// The process of all stand-ins, except those of services that the developer runs.
pub(crate) fn command(stack: &LocalStack) -> Result<Command> {
    let mut command = detached(binary(&stack.checkout, "services")?);
    command.arg("--folder").arg(folder(&stack.checkout));
    command.arg("--identity-provider");
    command.args([stack.ports.identity_provider(), stack.ports.api()].map(|port| port.to_string()));
    for service in services::ALL.iter().filter(|service| stack.external.get(service.variable).is_none()) {
        command.arg(format!("{}={}", service.name, service.port(&stack.ports)));
    }
    command.current_dir(stack.checkout.root());
    Ok(command)
}

/// The folder of the files that the stand-ins read: `service-NAME.mode`.
fn folder(checkout: &Checkout) -> PathBuf {
    checkout.local("run")
}

fn mode_file(checkout: &Checkout, name: &str) -> PathBuf {
    folder(checkout).join(format!("service-{name}.mode"))
}

/// Switches a stand-in at once, until it is switched again.
pub(crate) fn switch(stack: &LocalStack, name: &str, mode: ServiceMode) -> Result<()> {
    let service = services::ALL.into_iter().find(|service| service.name == name).ok_or_else(|| {
        let names = services::ALL.map(|service| service.name).join(", ");
        DevError::new(format!("{name} cannot be switched"), format!("unknown service; expected one of {names}"))
    })?;
    if stack.external.get(service.variable).is_some() {
        let reason = format!("{} names a service of your own", service.variable);
        return Err(DevError::new(format!("{name} cannot be switched"), reason));
    }
    write_file(&mode_file(&stack.checkout, name), mode.name())
}

/// One line for each service. `running` is whether the process of the stand-ins runs.
pub(crate) fn status(stack: &LocalStack, running: bool) -> Vec<StatusLine> {
    let line = |service: PlatformService| {
        let name = format!("  {}", service.name);
        if stack.external.get(service.variable).is_some() {
            return StatusLine::external(name, service.variable);
        }
        let mode = fs::read_to_string(mode_file(&stack.checkout, service.name)).unwrap_or_default();
        let up = running && !["down", "hang"].contains(&mode.trim());
        let details = match mode.trim() {
            "" | "up" => "a stand-in".to_owned(),
            mode => format!("a stand-in, switched to {mode} by `cargo dev service`"),
        };
        let port = Some(service.port(&stack.ports));
        StatusLine { name, up, state: if up { "up" } else { "down" }, pid: None, port, details }
    };
    services::ALL.map(line).into()
}
