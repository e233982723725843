//! `cargo dev`: the whole platform on one machine, on real servers, without Docker.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod checkout;
mod commands;
mod environment;
mod failure;
mod functions;
mod install;
mod ports;
mod probe;
mod process;
mod progress;
mod secrets;
mod servers;
mod services;
mod stack;
mod supervisor;

/// The whole platform on this machine: real servers, every function, and the parts that AWS plays.
#[derive(Debug, Parser)]
#[command(name = "cargo dev", bin_name = "cargo dev", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Installs what is missing, starts what does not run, and prints where everything is. Safe to repeat
    Up(commands::up::Options),
    /// Stops everything; the data stay
    Down {
        /// Removes the data and the secrets too
        #[arg(long)]
        wipe: bool,
    },
    /// Says what runs and what answers; exits with 1 if anything does not
    Status,
    /// Prints logs: of everything, or of one NAME of `status`
    Logs {
        /// Which log
        name: Option<String>,
        /// Goes on printing what is added
        #[arg(long, short)]
        follow: bool,
    },
    /// Prints the functions' environment as KEY=value lines
    Env,
    /// Signs in as the first super-admin and prints the bearer token
    Token,
    /// Switches the stand-in of a service of the platform
    Service {
        /// `webhook-ingestor`, `ws-server`, `ai-agent` or `billing-service`
        name: String,
        /// What it does from now on
        mode: services::Mode,
    },
    /// Starts one server, or `functions`, `emulator` or `services`
    Start {
        /// A name of `status`
        name: String,
    },
    /// Stops one server, or `functions`, `emulator` or `services`, until it is started again
    Stop {
        /// A name of `status`
        name: String,
    },
    /// Runs every test of the workspace against the stack, which is left as it was found
    Test {
        /// Passed on to `cargo test`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Writes `infra/openapi.json` anew, as the code has it now
    Openapi,
    /// Writes generated tenants, with usage and history, or users of a tenant, in addition to what is there
    Seed {
        /// `--tenants N`, or `--users N --tenant ID`, or both; `--help` tells more
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Builds what would be deployed and measures it
    Bench {
        /// Passed on to the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Keeps the functions, the emulator and the stand-ins of services running
    #[command(hide = true)]
    Supervise,
}

fn main() -> ExitCode {
    match carry_out(Cli::parse().command) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Command) -> failure::Result<ExitCode> {
    let checkout = checkout::Checkout::find()?;
    match command {
        Command::Up(options) => commands::up::run(checkout, &options),
        Command::Down { wipe } => commands::down::run(&checkout, wipe),
        Command::Status => commands::status::run(checkout),
        Command::Logs { name, follow } => commands::logs::run(&checkout, name.as_deref(), follow),
        Command::Env => commands::env::run(checkout),
        Command::Token => commands::token::run(checkout),
        Command::Service { name, mode } => commands::service::run(checkout, &name, mode),
        Command::Start { name } => commands::single::start(checkout, &name),
        Command::Stop { name } => commands::single::stop(checkout, &name),
        Command::Test { arguments } => commands::test::run(checkout, &arguments),
        Command::Openapi => commands::test::write_openapi(checkout),
        Command::Seed { arguments } => commands::seed::run(checkout, &arguments),
        Command::Bench { arguments } => commands::bench::run(checkout, &arguments),
        Command::Supervise => supervisor::run(checkout),
    }
}
