//! `cargo dev token`

use std::{process::ExitCode, time::Duration};

use crate::{
    api::{self, SignInError},
    checkout::Checkout,
    commands::output::print,
    environment::FIRST_ADMIN_EMAIL,
    error::Result,
    functions,
    stack::LocalStack,
};

const TIMEOUT: Duration = Duration::from_mins(1);

pub(crate) fn run(checkout: Checkout) -> Result<ExitCode> {
    let stack = LocalStack::load(checkout)?;
    let token = match api::sign_in(&stack, TIMEOUT) {
        Err(SignInError::WrongPassword(_)) => recover(&stack)?,
        answer => answer?,
    };
    print(&format!("{token}\n"));
    Ok(ExitCode::SUCCESS)
}

/// Makes the first super-admin an active owner with the configured password, in the same way as in a deployment whose owners
/// are locked out.
fn recover(stack: &LocalStack) -> Result<String> {
    eprintln!("{FIRST_ADMIN_EMAIL} cannot sign in with the configured password, and is recovered with it.");
    let temporary = functions::recover_owner(stack, FIRST_ADMIN_EMAIL)?;
    Ok(api::replace_password(stack, TIMEOUT, &temporary)?)
}
