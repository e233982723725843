//! `cargo dev down`

use std::{fs, process::ExitCode, thread};

use crate::{
    checkout::Checkout,
    failure::{Attempt, Result},
    progress::Progress,
    servers,
    stack::Stack,
    supervisor,
};

/// Stops everything that is ours, and with `wipe` removes what it kept.
pub(crate) fn run(checkout: &Checkout, wipe: bool) -> Result<ExitCode> {
    if let Some(stack) = Stack::load_to_stop(checkout.clone())? {
        let _lock = checkout.lock()?;
        let progress = Progress::start();
        let step = progress.step("functions", "stopping");
        supervisor::stop(&stack);
        drop(step);
        let _step = progress.step("servers", "stopping");
        thread::scope(|scope| {
            for server in servers::ALL {
                scope.spawn(|| servers::stop(server, &stack));
            }
        });
    }
    if wipe {
        servers::postgres::wipe(checkout)?;
        let local = checkout.local("");
        if local.exists() {
            fs::remove_dir_all(&local).attempt(|| format!("{} cannot be removed", local.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
