//! Programs of this workspace that run on the stack.

use std::{
    ffi::OsStr,
    process::{Command, ExitCode},
};

use crate::{
    cargo,
    error::{ErrorContext, Result},
    functions,
    progress::Progress,
    stack::LocalStack,
};

/// Builds the binary `name`, and runs it with the functions' environment and with `variables`. It prints lines of its own.
pub(crate) fn run(
    stack: &LocalStack,
    name: &str,
    arguments: &[String],
    variables: &[(&str, &OsStr)],
) -> Result<ExitCode> {
    let progress = Progress::start();
    let step = progress.step(name, "building");
    cargo::build(&stack.checkout, &[name], &step)?;
    drop((step, progress));
    let program = Command::new(cargo::binary(&stack.checkout, name)?);
    let mut program = cargo::with_shell_environment(program, &stack.checkout);
    functions::set_environment(&mut program, stack);
    program.args(arguments).envs(variables.iter().copied());
    let status = program.status().context(|| format!("{name} cannot be run"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
