//! `cargo dev env`

use std::process::ExitCode;

use crate::{checkout::Checkout, commands::print, failure::Result, stack::Stack};

/// Prints the functions' environment.
pub(crate) fn run(checkout: Checkout) -> Result<ExitCode> {
    print(&Stack::load(checkout)?.environment());
    Ok(ExitCode::SUCCESS)
}
