//! `cargo dev start NAME`, `cargo dev stop NAME`

use std::process::ExitCode;

use crate::{
    checkout::Checkout,
    error::{DevError, Result},
    progress::Progress,
    servers::{self, lifecycle},
    stack::LocalStack,
    supervisor,
};

/// Starts one server, or one part that the supervisor keeps running.
pub(crate) fn start(checkout: Checkout, name: &str) -> Result<ExitCode> {
    let stack = LocalStack::load(checkout)?;
    let _lock = stack.checkout.lock()?;
    if supervisor::PARTS.contains(&name) {
        supervisor::set_stopped(&stack.checkout, name, false)?;
        supervisor::ensure(&stack)?;
        return Ok(ExitCode::SUCCESS);
    }
    let server = servers::find(name).ok_or_else(|| unknown(name))?;
    let progress = Progress::start();
    let step = progress.step(name, "starting");
    lifecycle::ensure(server, &stack, &step)?;
    step.done(&format!("{name} is up"));
    Ok(ExitCode::SUCCESS)
}

/// Stops one server, or one part that the supervisor keeps running.
pub(crate) fn stop(checkout: Checkout, name: &str) -> Result<ExitCode> {
    let stack = LocalStack::load(checkout)?;
    let _lock = stack.checkout.lock()?;
    if supervisor::PARTS.contains(&name) {
        supervisor::set_stopped(&stack.checkout, name, true)?;
        supervisor::stop_part(&stack, name);
        return Ok(ExitCode::SUCCESS);
    }
    lifecycle::stop(servers::find(name).ok_or_else(|| unknown(name))?, &stack);
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str) -> DevError {
    let servers = servers::ALL.iter().map(|server| server.name());
    let names: Vec<_> = servers.chain(supervisor::PARTS).collect();
    DevError::new(format!("{name} is not a part of the stack"), format!("expected one of {}", names.join(", ")))
}
