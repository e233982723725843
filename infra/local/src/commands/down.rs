//! `cargo dev down`

use std::{fs, process::ExitCode, thread};

use crate::{
    checkout::Checkout,
    error::{ErrorContext, Result},
    progress::Progress,
    servers::{self, lifecycle, postgres},
    stack::LocalStack,
    supervisor,
};

/// Stops everything. `wipe` also removes data, logs and secrets.
pub(crate) fn run(checkout: &Checkout, wipe: bool) -> Result<ExitCode> {
    if let Some(stack) = LocalStack::load_to_stop(checkout.clone())? {
        let _lock = checkout.lock()?;
        let progress = Progress::start();
        let step = progress.step("functions", "stopping");
        supervisor::stop(&stack);
        drop(step);
        let _step = progress.step("servers", "stopping");
        thread::scope(|scope| {
            for server in servers::ALL {
                scope.spawn(|| lifecycle::stop(server, &stack));
            }
        });
    }
    if wipe {
        postgres::wipe(checkout)?;
        let local = checkout.local("");
        if local.exists() {
            fs::remove_dir_all(&local).context(|| format!("{} cannot be removed", local.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
