//! `cargo dev seed`

use std::process::{Command, ExitCode};

use crate::{
    cargo,
    checkout::Checkout,
    error::{ErrorContext, Result},
    functions,
    progress::Progress,
    startup::{self, UpOptions},
};

/// Fills the stores with generated data. Servers that do not run are started first.
pub(crate) fn run(checkout: Checkout, arguments: &[String]) -> Result<ExitCode> {
    let stack = startup::bring_up(checkout, &UpOptions { servers_only: true, ..UpOptions::default() })?;
    let progress = Progress::start();
    let step = progress.step("seed", "building");
    cargo::build(&stack.checkout, &["seed"], &step)?;
    // The seeder has a progress bar of its own.
    drop((step, progress));
    let seed = Command::new(cargo::binary(&stack.checkout, "seed")?);
    let mut seed = cargo::with_shell_environment(seed, &stack.checkout);
    seed.args(arguments);
    functions::set_environment(&mut seed, &stack);
    let status = seed.status().context(|| "The data cannot be generated".into())?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
