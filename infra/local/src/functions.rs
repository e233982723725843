//! The functions, and the processes that run them: `cargo lambda watch` and the emulator.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    cargo::{binary, with_shell_environment},
    checkout::Checkout,
    error::{DevError, ErrorContext, Result},
    install::python::PythonWheel,
    process::{detached, tail},
    stack::LocalStack,
};

/// The function that migrates the platform database. Outside a Lambda runtime it runs once and ends.
pub(crate) const MIGRATION: &str = "migrate-platform";

pub(crate) const CARGO_LAMBDA: PythonWheel = PythonWheel {
    name: "cargo-lambda",
    version: "1.9.2",
    requirements: "cargo-lambda==1.9.2 \
                   --hash=sha256:db2c0b1d53d7ed0055198fd045f641addc91b180b20d794fcf78cc9a9efacb38 \
                   --hash=sha256:3350315e8b4e88f7134967f51546bf51aa5db37a6d39a17380545362ae27e289\n",
    program: "bin/cargo-lambda",
};

/// The names of all functions: the packages in `functions/`.
pub(crate) fn names(checkout: &Checkout) -> Result<Vec<String>> {
    let folder = checkout.root().join("functions");
    let entries = fs::read_dir(&folder).context(|| format!("{} cannot be read", folder.display()))?;
    let name =
        |path: PathBuf| path.join("Cargo.toml").is_file().then(|| path.file_name()?.to_str().map(ToOwned::to_owned))?;
    let mut names: Vec<_> = entries.filter_map(|entry| name(entry.ok()?.path())).collect();
    names.sort();
    Ok(names)
}

/// The functions whose own packages contain no test. The package `tests` tests them through the API.
pub(crate) fn without_tests(checkout: &Checkout) -> Result<Vec<String>> {
    let mut names = names(checkout)?;
    names.retain(|name| {
        let package = checkout.root().join("functions").join(name);
        !package.join("tests").exists() && !contains_test(&package.join("src"))
    });
    Ok(names)
}

/// Whether a source file in a folder contains a unit test or an example in its documentation. One that cannot be read may.
fn contains_test(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return true };
    entries.flatten().map(|entry| entry.path()).any(|path| match fs::read_to_string(&path) {
        Ok(text) => ["#[cfg(test)]", "#[test]", "::test]", "```"].iter().any(|mark| text.contains(mark)),
        Err(_) => contains_test(&path),
    })
}

/// Migrates the platform database to the newest schema and creates the first super-admin.
pub(crate) fn migrate(stack: &LocalStack) -> Result<()> {
    let mut command = Command::new(binary(&stack.checkout, MIGRATION)?);
    set_environment(&mut command, stack);
    let action = "The platform database cannot be migrated";
    let output = command.stdin(Stdio::null()).output().context(|| action.to_owned())?;
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    let _ = fs::write(stack.checkout.log("migrations"), &text);
    if output.status.success() {
        return Ok(());
    }
    Err(DevError::new(action, format!("{MIGRATION} ended with {}: {}", output.status, tail(&text)))
        .remedy("Its whole output: cargo dev logs migrations"))
}

/// Makes a super-admin an active owner and returns the temporary password.
pub(crate) fn recover_owner(stack: &LocalStack, email: &str) -> Result<String> {
    let reason = "cargo dev token: signing in with the configured password failed";
    let event = json!({ "recover_owner": { "email": email, "reason": reason } });
    let mut command = Command::new(binary(&stack.checkout, MIGRATION)?);
    set_environment(&mut command, stack);
    let action = "The super-admin cannot be recovered";
    let output = command.arg(event.to_string()).stdin(Stdio::null()).output().context(|| action.to_owned())?;
    // The result is the last line, after the log.
    let text = String::from_utf8_lossy(&output.stdout);
    let result: Option<Value> = text.lines().next_back().and_then(|line| serde_json::from_str(line).ok());
    match result.as_ref().and_then(|result| result.get("temporary_password")?.as_str()) {
        Some(password) if output.status.success() => Ok(password.to_owned()),
        // The output is not shown, because it may contain the password.
        _ => Err(DevError::new(action, format!("{MIGRATION} ended with {}", output.status))
            .remedy("Build it anew and migrate the platform database: cargo dev up --detach")),
    }
}

/// `cargo lambda watch` on the API's port.
pub(crate) fn watch(stack: &LocalStack) -> Result<Command> {
    let mut command = with_shell_environment(detached(CARGO_LAMBDA.install()?), &stack.checkout);
    // `--timeout` is not used, because it also cuts the long poll by which an idle function waits for its next request;
    // nor is `--concurrency`, because with several processes of a function `cargo lambda watch` misses edits.
    command.args(["lambda", "watch", "--invoke-address", "127.0.0.1", "--color=never"]);
    command.arg("--invoke-port").arg(stack.ports.api().to_string());
    set_environment(&mut command, stack);
    Ok(command)
}

/// The emulator of the queues' and schedules' triggers.
pub(crate) fn emulator(stack: &LocalStack) -> Result<Command> {
    let mut command = detached(binary(&stack.checkout, "emulator")?);
    set_environment(&mut command, stack);
    command.current_dir(stack.checkout.root());
    Ok(command)
}

/// Gives a command the functions' environment, without variables of the developer's cloud account.
pub(crate) fn set_environment(command: &mut Command, stack: &LocalStack) {
    let cloud_account = [
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_DEFAULT_REGION",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
        "AWS_LAMBDA_RUNTIME_API",
    ];
    for name in cloud_account {
        command.env_remove(name);
    }
    command.envs(stack.variables());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_functions_that_contain_a_test_are_tested_by_themselves() {
        let without = without_tests(&Checkout::find().unwrap()).unwrap();
        let [get_tenant, get_console, relay_events] =
            ["get-tenant", "get-console", "relay-events"].map(|name| without.iter().any(|without| without == name));
        assert!(get_tenant && !get_console && !relay_events, "{without:?}");
    }
}
