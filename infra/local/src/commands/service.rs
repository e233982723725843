//! `cargo dev service NAME up|down|slow|hang`

use std::process::ExitCode;

use crate::{
    checkout::Checkout,
    error::Result,
    stack::LocalStack,
    stand_ins::{self, ServiceMode},
};

pub(crate) fn run(checkout: Checkout, name: &str, mode: ServiceMode) -> Result<ExitCode> {
    stand_ins::switch(&LocalStack::load(checkout)?, name, mode)?;
    Ok(ExitCode::SUCCESS)
}
