//! Starting, stopping and checking a server.

use std::{
    process::Child,
    thread,
    time::{Duration, Instant},
};

use crate::{
    error::{DevError, Result},
    ports,
    process::{self, ProcessIdentity},
    progress::ProgressStep,
    stack::LocalStack,
    status_line::StatusLine,
};

use super::server::LocalServer;

/// Ensures that a server runs, answers and is set up, from any earlier state.
pub(crate) fn ensure(server: &dyn LocalServer, stack: &LocalStack, step: &ProgressStep) -> Result<()> {
    let name = server.name();
    step.begin("checking");
    if let Some(identity) = process::recorded(&stack.checkout, name) {
        if answers_soon(server, stack) {
            return server.set_up(stack);
        }
        // It hangs, or a signal suspended it.
        step.begin("restarting, because it does not answer");
        identity.stop(server.stop_signal(), Duration::from_secs(3));
    }
    step.begin("installing");
    server.install(step)?;
    wait_for_free_ports(server, stack)?;
    step.begin("starting");
    server.prepare(stack)?;
    let log = process::log_length(&stack.checkout, name);
    let (identity, child) = process::launch(&stack.checkout, name, &mut server.command(stack)?)?;
    wait_for_answer(server, stack, &identity, child, log)?;
    step.begin("setting up");
    server.set_up(stack)
}

fn wait_for_answer(
    server: &dyn LocalServer,
    stack: &LocalStack,
    identity: &ProcessIdentity,
    mut child: Child,
    log: u64,
) -> Result<()> {
    const TIMEOUT: Duration = Duration::from_secs(90);
    let name = server.name();
    let started = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        thread::sleep(pause);
        pause = (pause * 3 / 2).min(Duration::from_millis(300));
        let answer = server.probe(stack);
        // This process is the parent, so it must wait for the child, or else the child's end goes unnoticed.
        let _ = child.try_wait();
        match answer {
            Ok(_) => {
                process::wait_in_background(child);
                return Ok(());
            }
            Err(reason) if !identity.is_alive() || started.elapsed() > TIMEOUT => {
                let output = process::log_tail(&stack.checkout, name, log);
                let reason =
                    if identity.is_alive() { format!("it does not answer: {reason}") } else { "it ended".into() };
                return Err(DevError::new(format!("{name} cannot be started"), format!("{reason}: {output}"))
                    .remedy(format!("Its whole output: cargo dev logs {name}")));
            }
            Err(_) => {}
        }
    }
}

/// Whether a running server answers. It may still be starting, because the command that started it was killed.
fn answers_soon(server: &dyn LocalServer, stack: &LocalStack) -> bool {
    let started = Instant::now();
    loop {
        if server.probe(stack).is_ok() {
            return true;
        }
        if started.elapsed() > Duration::from_secs(5) || process::recorded(&stack.checkout, server.name()).is_none() {
            return false;
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// Fails when another program listens on one of the server's ports. A server that was just stopped gets time to end.
fn wait_for_free_ports(server: &dyn LocalServer, stack: &LocalStack) -> Result<()> {
    let started = Instant::now();
    for port in server.ports(stack) {
        while !ports::is_free(port) {
            if started.elapsed() > Duration::from_secs(5) {
                return Err(DevError::new(
                    format!("{} cannot be started", server.name()),
                    format!("another program listens on port {port}"),
                )
                .remedy(format!(
                    "Find it with `ss -ltnp sport = :{port}` and stop it, or get other ports with `cargo dev down --wipe`, \
                     which also removes all data"
                )));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}

pub(crate) fn stop(server: &dyn LocalServer, stack: &LocalStack) {
    if let Some(identity) = process::recorded(&stack.checkout, server.name()) {
        identity.stop(server.stop_signal(), server.stop_timeout());
    }
    process::forget(&stack.checkout, server.name());
}

/// Probes a server.
pub(crate) fn status(server: &dyn LocalServer, stack: &LocalStack) -> StatusLine {
    let name = server.name().to_owned();
    if stack.external.get(server.variable()).is_some() {
        return StatusLine::external(name, server.variable());
    }
    let identity = process::recorded(&stack.checkout, server.name());
    let (state, details) = match (&identity, server.probe(stack)) {
        (Some(_), Ok(version)) => ("up", version),
        (Some(_), Err(reason)) => ("down", reason),
        (None, Ok(_)) => ("down", "another program answers on its port".into()),
        (None, Err(_)) if server.is_being_built() => ("building", "its program is being built from source".into()),
        (None, Err(_)) => ("down", "not running".into()),
    };
    let pid = identity.map(|identity| identity.pid);
    StatusLine { name, up: state == "up", state, pid, port: server.ports(stack).first().copied(), details }
}
