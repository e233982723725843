//! `cargo dev soak`

use std::process::{Command, ExitCode};

use crate::{
    cargo,
    checkout::Checkout,
    error::{ErrorContext, Result},
    functions,
    progress::Progress,
    startup::{self, UpOptions},
};

/// The variable that contains this program's path for the soak, which starts and stops servers with it.
const DEV_VARIABLE: &str = "LANDLORD_DEV";

/// Disturbs the whole stack while tenants live on it.
pub(crate) fn run(checkout: Checkout, arguments: &[String]) -> Result<ExitCode> {
    let stack = startup::bring_up(checkout, &UpOptions::default())?;
    let progress = Progress::start();
    let step = progress.step("soak", "building");
    cargo::build(&stack.checkout, &["soak"], &step)?;
    // The soak prints lines of its own.
    drop((step, progress));
    let soak = Command::new(cargo::binary(&stack.checkout, "soak")?);
    let mut soak = cargo::with_shell_environment(soak, &stack.checkout);
    soak.args(arguments);
    functions::set_environment(&mut soak, &stack);
    soak.env(DEV_VARIABLE, std::env::current_exe().context(|| "The path of this program cannot be read".into())?);
    let status = soak.status().context(|| "The soak cannot be run".into())?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
