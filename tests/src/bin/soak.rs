//! `cargo dev soak`.

use std::process::ExitCode;

use clap::Parser;
use tests::soak::{Settings, run};

#[tokio::main]
async fn main() -> ExitCode {
    if run(Settings::parse()).await { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
