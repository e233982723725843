//! `cargo dev status`

use std::{process::ExitCode, thread};

use crate::{
    checkout::Checkout,
    commands::print,
    failure::Result,
    servers::{self, State},
    stack::Stack,
    supervisor,
};

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Line {
    /// What it is about.
    pub(crate) name: String,
    /// Whether all is well with it.
    pub(crate) up: bool,
    /// `up`, `down` or `yours`.
    pub(crate) state: &'static str,
    /// Its process.
    pub(crate) pid: Option<i32>,
    /// Where it listens.
    pub(crate) port: Option<u16>,
    /// What answers there, or what is wrong.
    pub(crate) says: String,
}

/// Prints a table of everything.
pub(crate) fn run(checkout: Checkout) -> Result<ExitCode> {
    let stack = Stack::load(checkout)?;
    let mut lines: Vec<Line> = thread::scope(|scope| {
        let asked: Vec<_> =
            servers::ALL.map(|server| scope.spawn(|| server_line(server, &stack))).into_iter().collect();
        asked.into_iter().filter_map(|line| line.join().ok()).collect()
    });
    lines.extend(supervisor::status(&stack));
    let mut table = vec![format!("{:<26} {:<6} {:>8} {:>6}  SAYS", "NAME", "STATE", "PID", "PORT")];
    for Line { name, state, pid, port, says, .. } in &lines {
        let [pid, port] =
            [pid.map(|pid| pid.to_string()), port.map(|port| port.to_string())].map(Option::unwrap_or_default);
        let says = says.lines().next().unwrap_or_default();
        table.push(format!("{name:<26} {state:<6} {pid:>8} {port:>6}  {says}"));
    }
    print(&(table.join("\n") + "\n"));
    let well = lines.iter().all(|line| line.up);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn server_line(server: &dyn servers::Server, stack: &Stack) -> Line {
    let name = server.name().to_owned();
    if stack.given.get(server.variable()).is_some() {
        let says = format!("named by {}, not ours to watch", server.variable());
        return Line { name, up: true, state: "yours", pid: None, port: None, says };
    }
    let port = server.ports(stack).first().copied();
    match servers::state(server, stack) {
        State::Up(process, says) => Line { name, up: true, state: "up", pid: process.map(|it| it.pid), port, says },
        State::Down(process, says) => {
            Line { name, up: false, state: "down", pid: process.map(|it| it.pid), port, says }
        }
    }
}
