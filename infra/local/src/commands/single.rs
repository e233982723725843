//! `cargo dev start NAME`, `cargo dev stop NAME`

use std::process::ExitCode;

use crate::{
    checkout::Checkout,
    failure::{Failure, Result},
    progress::Progress,
    servers,
    stack::Stack,
    supervisor,
};

/// Starts one part of the stack.
pub(crate) fn start(checkout: Checkout, name: &str) -> Result<ExitCode> {
    let stack = Stack::load(checkout)?;
    let _lock = stack.checkout.lock()?;
    if supervisor::PARTS.contains(&name) {
        supervisor::hold(&stack.checkout, name, false)?;
        supervisor::ensure(&stack)?;
        return Ok(ExitCode::SUCCESS);
    }
    let server = servers::named(name).ok_or_else(|| unknown(name))?;
    let progress = Progress::start();
    let step = progress.step(name, "starting");
    servers::ensure(server, &stack, &step)?;
    step.done(&format!("{name} is up"));
    Ok(ExitCode::SUCCESS)
}

/// Stops one part of the stack.
pub(crate) fn stop(checkout: Checkout, name: &str) -> Result<ExitCode> {
    let stack = Stack::load(checkout)?;
    let _lock = stack.checkout.lock()?;
    if supervisor::PARTS.contains(&name) {
        supervisor::hold(&stack.checkout, name, true)?;
        supervisor::stop_part(&stack, name);
        return Ok(ExitCode::SUCCESS);
    }
    servers::stop(servers::named(name).ok_or_else(|| unknown(name))?, &stack);
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str) -> Failure {
    let servers = servers::ALL.iter().map(|server| server.name());
    let names: Vec<_> = servers.chain(supervisor::PARTS).collect();
    Failure::new(format!("There is no {name} in the stack"), format!("it is made of {}", names.join(", ")))
}
