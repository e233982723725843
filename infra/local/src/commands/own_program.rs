//! Programs of this workspace that run on the stack.

use std::{
    ffi::OsStr,
    path::PathBuf,
    process::{Command, ExitCode},
};

use crate::{
    cargo,
    error::{ErrorContext, Result},
    functions,
    progress::Progress,
    stack::LocalStack,
};

/// Builds the binary `name`, and returns its path.
pub(crate) fn build(stack: &LocalStack, name: &str) -> Result<PathBuf> {
    let progress = Progress::start();
    let step = progress.step(name, "building");
    cargo::build(&stack.checkout, &[name], &step)?;
    cargo::binary(&stack.checkout, name)
}

/// Builds the binary `name`, and runs it with the functions' environment and with `variables`. It prints lines of its own.
pub(crate) fn run(
    stack: &LocalStack,
    name: &str,
    arguments: &[String],
    variables: &[(&str, &OsStr)],
) -> Result<ExitCode> {
    let program = Command::new(build(stack, name)?);
    let mut program = cargo::with_shell_environment(program, &stack.checkout);
    functions::set_environment(&mut program, stack);
    program.args(arguments).envs(variables.iter().copied());
    let status = program.status().context(|| format!("{name} cannot be run"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
