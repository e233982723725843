//! `cargo dev status`

use std::{process::ExitCode, thread};

use crate::{
    checkout::Checkout,
    commands::output::print,
    error::Result,
    servers::{self, lifecycle},
    stack::LocalStack,
    status_line::StatusLine,
    supervisor,
};

/// Prints one line for each part of the stack. Fails unless every part is up.
pub(crate) fn run(checkout: Checkout) -> Result<ExitCode> {
    let stack = LocalStack::load(checkout)?;
    let mut lines: Vec<StatusLine> = thread::scope(|scope| {
        let probes: Vec<_> =
            servers::ALL.map(|server| scope.spawn(|| lifecycle::status(server, &stack))).into_iter().collect();
        probes.into_iter().filter_map(|line| line.join().ok()).collect()
    });
    lines.extend(supervisor::status(&stack));
    let mut table = vec![format!("{:<26} {:<8} {:>8} {:>6}  DETAILS", "NAME", "STATE", "PID", "PORT")];
    for StatusLine { name, state, pid, port, details, .. } in &lines {
        let [pid, port] =
            [pid.map(|pid| pid.to_string()), port.map(|port| port.to_string())].map(Option::unwrap_or_default);
        let details = details.lines().next().unwrap_or_default();
        table.push(format!("{name:<26} {state:<8} {pid:>8} {port:>6}  {details}").trim_end().to_owned());
    }
    print(&(table.join("\n") + "\n"));
    let all_up = lines.iter().all(|line| line.up);
    Ok(if all_up { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
