//! Cargo, run in this checkout.

use std::{env, fs::OpenOptions, io::Write, path::PathBuf, process::Command};

use serde_json::Value;

use crate::{
    checkout::Checkout,
    error::{DevError, ErrorContext, Result},
    process::{run, run_with_lines},
    progress::ProgressStep,
};

/// Cargo with the environment of the developer's shell.
pub(crate) fn cargo(checkout: &Checkout) -> Command {
    with_shell_environment(Command::new("cargo"), checkout)
}

/// Makes a command run in this checkout, without the variables that cargo added for this program. Build scripts that watch
/// such variables would all run again, because cargo sets them for one package.
pub(crate) fn with_shell_environment(mut command: Command, checkout: &Checkout) -> Command {
    command.current_dir(checkout.root());
    let added = ["CARGO", "CARGO_PRIMARY_PACKAGE", "CARGO_CRATE_NAME", "LD_LIBRARY_PATH"];
    for (name, value) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        } else if name == "LD_LIBRARY_PATH" {
            // Cargo puts the folders of the compiler and of the target before the developer's.
            let developers = env::split_paths(&value)
                .filter(|path| !path.starts_with(checkout.root()) && !path.to_string_lossy().contains("/toolchains/"));
            match env::join_paths(developers) {
                Ok(path) if !path.is_empty() => command.env(name, path),
                _ => command.env_remove(name),
            };
        } else if added.contains(&name) {
            command.env_remove(name);
        }
    }
    command
}

/// The workspace's packages and folders, as `cargo metadata` prints them.
pub(crate) fn metadata(checkout: &Checkout) -> Result<Value> {
    let action = "The workspace's metadata cannot be read";
    let text = run(cargo(checkout).args(["metadata", "--no-deps", "--format-version", "1", "--offline"]), action)?;
    serde_json::from_str(&text).context(|| action.to_owned())
}

/// Cargo's target folder.
pub(crate) fn target(checkout: &Checkout) -> Result<PathBuf> {
    let metadata = metadata(checkout)?;
    let folder = metadata.get("target_directory").and_then(Value::as_str).map(PathBuf::from);
    folder.ok_or_else(|| DevError::new("Cargo's target folder cannot be found", "the metadata do not contain it"))
}

/// A binary of the workspace, as [`build`] leaves it.
pub(crate) fn binary(checkout: &Checkout, name: &str) -> Result<PathBuf> {
    Ok(target(checkout)?.join("debug").join(name))
}

/// Builds binaries of the workspace. The whole workspace is selected, so that cargo gives dependencies the same features as
/// in `cargo run --bin NAME`, by which `cargo lambda watch` starts a function, and as in `cargo test --workspace`.
pub(crate) fn build(checkout: &Checkout, binaries: &[&str], step: &ProgressStep) -> Result<()> {
    let action = "The functions cannot be built";
    let log = checkout.log("build");
    let mut log = OpenOptions::new().create(true).write(true).truncate(true).open(&log).context(|| action.into())?;
    let mut cargo = cargo(checkout);
    cargo.args(["build", "--workspace", "--color=never"]).args(binaries.iter().flat_map(|name| ["--bin", name]));
    let (mut compiled, mut first_error) = (0, None);
    let succeeded = run_with_lines(&mut cargo, action, |line| {
        let _ = writeln!(log, "{line}");
        if let Some(package) = line.trim_start().strip_prefix("Compiling ") {
            compiled += 1;
            let package = package.split_whitespace().next().unwrap_or_default();
            step.describe(&format!("building, {compiled} packages so far, now {package}"));
        } else if line.starts_with("error") && first_error.is_none() {
            first_error = Some(line.to_owned());
        }
    })?;
    if succeeded {
        return Ok(());
    }
    let reason = first_error.unwrap_or_else(|| "cargo build failed".to_owned());
    Err(DevError::new(action, reason).remedy("Cargo's whole output: cargo dev logs build"))
}
