//! The second half of `cargo dev up` without `--detach`: prints logs until Ctrl-C, and then stops everything.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::{
    commands::{down, logs::LogFollower, output::print},
    error::{ErrorContext, Result},
    stack::LocalStack,
};

pub(crate) fn run(stack: &LocalStack) -> Result<ExitCode> {
    let end = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&end)).context(|| "Signals cannot be handled".into())?;
    }
    print("\nPress Ctrl-C to stop everything. With --detach it goes on running.\n\n");
    let mut logs = LogFollower::from_now(&stack.checkout, &["functions", "emulator", "services", "supervisor"]);
    while !end.load(Ordering::Relaxed) {
        if logs.print().is_err() {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    eprintln!("\nStopping …");
    down::run(&stack.checkout, false)
}
