//! `cargo dev seed`

use std::process::{Command, ExitCode};

use crate::{
    checkout::Checkout,
    commands::up,
    failure::{Attempt, Result},
    functions,
    progress::Progress,
};

/// Fills the stores with generated data. What runs of the stack goes on; what does not of its servers is started.
pub(crate) fn run(checkout: Checkout, arguments: &[String]) -> Result<ExitCode> {
    let stack = up::bring_up(checkout, &up::Options { servers_only: true, ..Default::default() })?;
    let progress = Progress::start();
    let step = progress.step("seed", "building");
    // With the features of the functions, so that what they have built already serves.
    functions::build(&stack, &["seed"], &step)?;
    // It has a progress bar of its own.
    drop((step, progress));
    let mut seed =
        functions::clean(Command::new(functions::target(&stack.checkout)?.join("debug/seed")), &stack.checkout);
    seed.args(arguments);
    functions::equip(&mut seed, &stack);
    let status = seed.status().attempt(|| "The data cannot be written".into())?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
