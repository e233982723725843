//! `cargo dev bench`

use std::process::{Command, ExitCode};

use crate::{
    artifacts::{self, Architecture, Packages},
    cargo,
    checkout::Checkout,
    error::{ErrorContext, Result},
    functions, startup,
    startup::UpOptions,
};

/// Builds each function as it would be deployed, and measures. `--skip-build` measures an earlier build.
pub(crate) fn run(checkout: Checkout, arguments: &[String]) -> Result<ExitCode> {
    let stack = startup::bring_up(checkout, &UpOptions { servers_only: true, ..UpOptions::default() })?;
    let (skip, arguments): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| *argument == "--skip-build");
    let target = cargo::target(&stack.checkout)?.join("bench");
    if skip.is_empty() {
        // The functions, their floors and the benchmark are built in the same way.
        let packages = Packages::read(&stack.checkout)?;
        let names = functions::names(&stack.checkout)?;
        let mut artifacts = names.iter().map(|name| packages.function(name)).collect::<Result<Vec<_>>>()?;
        artifacts.extend(packages.floors()?);
        artifacts.push(Packages::bench());
        artifacts::build::build(&stack.checkout, &artifacts, Architecture::of_this_machine(), &target.join("lambda"))?;
    }
    let mut bench = cargo::with_shell_environment(Command::new(target.join("lambda/bench/bootstrap")), &stack.checkout);
    bench.arg("--target").arg(target).args(arguments);
    functions::set_environment(&mut bench, &stack);
    let status = bench.status().context(|| "The benchmark cannot be run".into())?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
