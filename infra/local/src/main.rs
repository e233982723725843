//! `cargo dev`: the whole platform on one machine, on real servers, without Docker.
//!
//! # Layers
//!
//! A module uses only modules of layers above its own row; a test (`layers`) reads this table and the sources.
//!
//! | layer | modules |
//! | --- | --- |
//! | basics | `error`, `procfs`, `status_line` |
//! | files, progress, small requests | `checkout`, `progress`, `probe` |
//! | processes | `process` |
//! | tools | `cargo`, `install` |
//! | ports and secrets | `certificates`, `ports`, `secrets` |
//! | the list of services | `services` |
//! | the functions' environment | `environment` |
//! | the stack | `stack` |
//! | its parts | `api`, `console`, `functions`, `servers`, `stand_ins` |
//! | release builds | `artifacts` |
//! | what keeps parts running | `supervisor` |
//! | bringing everything up | `startup` |
//! | the command line | `commands` |

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod api;
mod artifacts;
mod cargo;
mod certificates;
mod checkout;
mod commands;
mod console;
mod environment;
mod error;
mod functions;
mod install;
#[cfg(test)]
mod layers;
mod ports;
mod probe;
mod process;
mod procfs;
mod progress;
mod secrets;
mod servers;
mod services;
mod stack;
mod stand_ins;
mod startup;
mod status_line;
mod supervisor;

/// Runs the whole platform on this machine: real servers, every function, and an emulator of AWS's triggers
#[derive(Debug, Parser)]
#[command(name = "cargo dev", bin_name = "cargo dev", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: DevCommand,
}

#[derive(Debug, Subcommand)]
enum DevCommand {
    /// Install what is missing, start everything, and print how to use it. Safe to repeat
    Up(startup::UpOptions),
    /// Stop everything. Data are kept
    Down {
        /// Also remove data, logs and secrets
        #[arg(long)]
        wipe: bool,
    },
    /// Print the state of every part. Exits with 1 unless all are up
    Status,
    /// Print all logs, or one
    Logs {
        /// A name in `cargo dev status`, or `build` or `migrations`
        name: Option<String>,
        /// Go on with new lines
        #[arg(long, short)]
        follow: bool,
    },
    /// Print the functions' environment as KEY=value lines
    Env,
    /// Sign in as the first super-admin and print the bearer token
    Token,
    /// Switch the stand-in of one of the platform's services
    Service {
        /// `webhook-ingestor`, `ws-server`, `ai-agent` or `billing-service`
        name: String,
        /// Its behaviour until it is switched again
        mode: stand_ins::ServiceMode,
    },
    /// Start one server, or `functions`, `emulator` or `services`
    Start {
        /// A name in `cargo dev status`
        name: String,
    },
    /// Stop one server, or `functions`, `emulator` or `services`, until `start` or `up`
    Stop {
        /// A name in `cargo dev status`
        name: String,
    },
    /// Run the workspace's tests on the stack. Stops afterwards what did not run before
    Test {
        /// Arguments of `cargo test`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Write the descriptions of the API and the topic, the table of functions, the local router and the code in `infra/services.md`
    Openapi,
    /// Build the console, show edits at once, or write the pictures of the documents
    Console {
        #[arg(value_enum, default_value_t)]
        action: commands::console::ConsoleAction,
    },
    /// Add generated tenants with usage and history, or users of one tenant
    Seed {
        /// `--tenants N`, `--users N --tenant ID`, or both; `--help` lists all
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Let tenants live on the stack while its processes are killed, frozen and cut off, and check that nothing is lost
    Soak {
        /// `--seed N`, `--seconds N`; `--help` lists all
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build functions as they are deployed, into `target/lambda`
    Build {
        /// The processors of the functions, as in the parameter `Architecture` of the template
        #[arg(long, value_enum, default_value = "arm64")]
        architecture: artifacts::Architecture,
        /// Names of functions; without any, all are built
        names: Vec<String>,
    },
    /// Build the functions as they would be deployed, and measure them
    Bench {
        /// Arguments of the benchmark; `--help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Keep the functions, the emulator and the stand-ins running
    #[command(hide = true)]
    Supervise,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: DevCommand) -> error::Result<ExitCode> {
    let checkout = checkout::Checkout::find()?;
    match command {
        DevCommand::Up(options) => commands::up::run(checkout, &options),
        DevCommand::Down { wipe } => commands::down::run(&checkout, wipe),
        DevCommand::Status => commands::status::run(checkout),
        DevCommand::Logs { name, follow } => commands::logs::run(&checkout, name.as_deref(), follow),
        DevCommand::Env => commands::env::run(checkout),
        DevCommand::Token => commands::token::run(checkout),
        DevCommand::Service { name, mode } => commands::service::run(checkout, &name, mode),
        DevCommand::Start { name } => commands::start_stop::start(checkout, &name),
        DevCommand::Stop { name } => commands::start_stop::stop(checkout, &name),
        DevCommand::Test { arguments } => commands::test::run(checkout, &arguments),
        DevCommand::Openapi => commands::test::write_openapi(checkout),
        DevCommand::Soak { arguments } => commands::soak::run(checkout, &arguments),
        DevCommand::Console { action } => commands::console::run(checkout, action),
        DevCommand::Seed { arguments } => commands::seed::run(checkout, &arguments),
        DevCommand::Build { architecture, names } => {
            commands::build::run(&checkout, &names, architecture).map(|()| ExitCode::SUCCESS)
        }
        DevCommand::Bench { arguments } => commands::bench::run(checkout, &arguments),
        DevCommand::Supervise => supervisor::run(checkout),
    }
}
