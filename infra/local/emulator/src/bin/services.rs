//! Runs the stand-ins of the platform's microservices and of its identity provider until SIGTERM or SIGINT.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use emulator::{
    identity_provider::IdentityProvider,
    stand_in::{self, StandIn},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

/// Runs stand-ins of the platform's microservices. The file `service-NAME.mode` sets how each answers `GET /health`
#[derive(Debug, Parser)]
#[command(version)]
struct StandInOptions {
    /// The folder of these files
    #[arg(long)]
    folder: PathBuf,
    /// The ports of the stand-in of the identity provider and of the API, which serves the console
    #[arg(long, num_args = 2, value_names = ["PORT", "API_PORT"])]
    identity_provider: Option<Vec<u16>>,
    /// A service and the port of its stand-in: `NAME=PORT`
    #[arg(value_parser = named_port)]
    services: Vec<(String, u16)>,
}

fn named_port(text: &str) -> Result<(String, u16), String> {
    let (name, port) = text.split_once('=').ok_or("expected NAME=PORT")?;
    Ok((name.to_owned(), port.parse().map_err(|error| format!("{port}: {error}"))?))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_target(false).with_ansi(false).init();
    let options = StandInOptions::parse();
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be handled");
        return ExitCode::FAILURE;
    };
    let mut parts = JoinSet::new();
    if let Some(&[port, api]) = options.identity_provider.as_deref() {
        let Ok(provider) = IdentityProvider::new(port, api) else {
            tracing::error!("no key can be generated for the identity provider");
            return ExitCode::FAILURE;
        };
        tracing::info!(port, "stand-in of the identity provider");
        parts.spawn(provider.run());
    }
    for (name, port) in options.services {
        tracing::info!(name, port, "stand-in");
        parts.spawn(stand_in::run(StandIn::new(&name, port, &options.folder)));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    ExitCode::SUCCESS
}
