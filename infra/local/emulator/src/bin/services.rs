//! Runs the stand-ins of the platform's microservices until SIGTERM or SIGINT.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use emulator::stand_in::{self, StandIn};
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
