//! `cargo dev token`

use std::{process::ExitCode, time::Duration};

use crate::{api, checkout::Checkout, commands::output::print, error::Result, stack::LocalStack};

pub(crate) fn run(checkout: Checkout) -> Result<ExitCode> {
    let stack = LocalStack::load(checkout)?;
    print(&format!("{}\n", api::sign_in(&stack, Duration::from_mins(1))?));
    Ok(ExitCode::SUCCESS)
}
