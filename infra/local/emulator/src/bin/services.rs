//! Runs the stand-ins of the platform's microservices until it is told to end.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use emulator::stand_in::{self, StandIn};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

/// Stand-ins of the platform's microservices: each answers `GET /health` as the file `service-NAME.mode` says.
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// Where the files are
    #[arg(long)]
    folder: PathBuf,
    /// The services: `NAME=PORT`
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
    let settings = Settings::parse();
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be listened for");
        return ExitCode::FAILURE;
    };
    let mut parts = JoinSet::new();
    for (name, port) in settings.services {
        tracing::info!(name, port, "stand-in");
        parts.spawn(stand_in::run(StandIn::new(&name, port, &settings.folder)));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    ExitCode::SUCCESS
}
