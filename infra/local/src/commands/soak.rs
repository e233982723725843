//! `cargo dev soak`

use std::process::ExitCode;

use crate::{
    checkout::Checkout,
    commands::own_program,
    error::{ErrorContext, Result},
    startup::{self, UpOptions},
};

/// The variable that contains this program's path for the soak, which starts and stops servers with it.
const DEV_VARIABLE: &str = "LANDLORD_DEV";

/// Disturbs the whole stack while tenants live on it.
pub(crate) fn run(checkout: Checkout, arguments: &[String]) -> Result<ExitCode> {
    let stack = startup::bring_up(checkout, &UpOptions::default())?;
    let dev = std::env::current_exe().context(|| "The path of this program cannot be read".into())?;
    own_program::run(&stack, "soak", arguments, &[(DEV_VARIABLE, dev.as_os_str())])
}
