//! The foreground half of `cargo dev up`: shows what happens until Ctrl-C, and then stops everything.

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
    commands::{down, logs::Follower, print},
    failure::{Attempt, Result},
    stack::Stack,
};

/// Prints the news of the functions, the emulator, the services and the supervisor until it is told to end.
pub(crate) fn run(stack: &Stack) -> Result<ExitCode> {
    let end = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&end)).attempt(|| "Ctrl-C cannot be listened for".into())?;
    }
    print("\nCtrl-C stops it all; `cargo dev up --detach` would have left it running.\n\n");
    let mut news = Follower::from_now(&stack.checkout, &["functions", "emulator", "services", "supervisor"]);
    while !end.load(Ordering::Relaxed) {
        if news.print().is_err() {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    eprintln!("\nStopping …");
    down::run(&stack.checkout, false)
}
