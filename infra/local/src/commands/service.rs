//! `cargo dev service NAME up|down|slow|hang`

use std::process::ExitCode;

use crate::{
    checkout::Checkout,
    failure::Result,
    services::{self, Mode},
    stack::Stack,
};

/// Switches the stand-in of a service of the platform.
pub(crate) fn run(checkout: Checkout, name: &str, mode: Mode) -> Result<ExitCode> {
    services::switch(&Stack::load(checkout)?, name, mode)?;
    Ok(ExitCode::SUCCESS)
}
