//! `cargo dev seed`

use std::process::ExitCode;

use crate::{
    checkout::Checkout,
    commands::own_program,
    error::Result,
    startup::{self, UpOptions},
};

/// Fills the stores with generated data. Servers that do not run are started first.
pub(crate) fn run(checkout: Checkout, arguments: &[String]) -> Result<ExitCode> {
    let stack = startup::bring_up(checkout, &UpOptions { servers_only: true, ..UpOptions::default() })?;
    own_program::run(&stack, "seed", arguments, &[])
}
