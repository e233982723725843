//! `cargo dev env`

use std::process::ExitCode;

use crate::{checkout::Checkout, commands::output::print, error::Result, stack::LocalStack};

pub(crate) fn run(checkout: Checkout) -> Result<ExitCode> {
    print(&LocalStack::load(checkout)?.environment());
    Ok(ExitCode::SUCCESS)
}
