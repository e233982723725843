//! `cargo dev console`

use std::process::{ExitCode, Stdio};

use crate::{
    checkout::Checkout,
    console::{self, ConsoleTools},
    error::{ErrorContext, Result},
    functions,
    install::system::{self, SystemPackage},
    progress::Progress,
    stack::LocalStack,
};

/// What `cargo dev console` does.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub(crate) enum ConsoleAction {
    /// Build the files that the function `get-console` embeds
    #[default]
    Build,
    /// Serve the console with the API of the running stack, and show each edit at once
    Develop,
    /// Write the pictures of the documents, from the data of the running stack
    Pictures,
}

pub(crate) fn run(checkout: Checkout, action: ConsoleAction) -> Result<ExitCode> {
    let progress = Progress::start();
    system::install(&console::required_packages(), &progress)?;
    let script = match action {
        ConsoleAction::Build => {
            let _lock = checkout.lock()?;
            let step = progress.step("console", "building");
            let built = console::build(&checkout, &step)?;
            step.done(if built { "the console is built" } else { "the console is current" });
            return Ok(ExitCode::SUCCESS);
        }
        ConsoleAction::Develop => "dev",
        ConsoleAction::Pictures => {
            system::install(&[SystemPackage::Chromium], &progress)?;
            "pictures"
        }
    };
    let stack = LocalStack::load(checkout)?;
    let mut command = ConsoleTools::open(&stack.checkout)?.script(script)?;
    functions::set_environment(&mut command, &stack);
    let status = command.stdin(Stdio::null()).status().context(|| "npm cannot be run".into())?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
