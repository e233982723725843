//! `cargo dev env`

use std::{io::Write, process::ExitCode};

use crate::{checkout::Checkout, failure::Result, stack::Stack};

/// Prints the functions' environment.
pub(crate) fn run(checkout: Checkout) -> Result<ExitCode> {
    let lines = Stack::load(checkout)?.environment();
    // Whoever reads it may stop reading.
    let _ = std::io::stdout().write_all(lines.as_bytes());
    Ok(ExitCode::SUCCESS)
}
