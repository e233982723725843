//! The functions: which there are, how they are built, and how `cargo lambda watch` is started for them.

use std::{
    env, fs,
    fs::OpenOptions,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    checkout::Checkout,
    failure::{Attempt, Failure, Result},
    install::python::Wheel,
    process::{detached, run, tail},
    progress::Step,
    services,
    stack::Stack,
};

/// The function that migrates, which also runs by hand: once, when no Lambda runtime is around it.
pub(crate) const MIGRATION: &str = "migrate-platform";

/// `cargo lambda`, which a Python package carries.
pub(crate) const CARGO_LAMBDA: Wheel = Wheel {
    name: "cargo-lambda",
    version: "1.9.2",
    requirements: "cargo-lambda==1.9.2 \
                   --hash=sha256:db2c0b1d53d7ed0055198fd045f641addc91b180b20d794fcf78cc9a9efacb38 \
                   --hash=sha256:3350315e8b4e88f7134967f51546bf51aa5db37a6d39a17380545362ae27e289\n",
    program: "bin/cargo-lambda",
};

/// The names of all functions: the packages in `functions/`.
pub(crate) fn all(checkout: &Checkout) -> Result<Vec<String>> {
    let folder = checkout.root().join("functions");
    let entries = fs::read_dir(&folder).attempt(|| format!("{} cannot be read", folder.display()))?;
    let function =
        |path: PathBuf| path.join("Cargo.toml").is_file().then(|| path.file_name()?.to_str().map(ToOwned::to_owned))?;
    let mut names: Vec<_> = entries.filter_map(|entry| function(entry.ok()?.path())).collect();
    names.sort();
    Ok(names)
}

/// Cargo in this checkout, as if the developer had called it: without what the cargo that runs us added.
pub(crate) fn cargo(checkout: &Checkout) -> Command {
    clean(Command::new("cargo"), checkout)
}

/// A command in this checkout without what the cargo that runs us put into the environment.
pub(crate) fn clean(mut command: Command, checkout: &Checkout) -> Command {
    command.current_dir(checkout.root());
    // Build scripts that watch these would all run again, for cargo sets them for the package that it runs.
    let added = ["CARGO", "CARGO_PRIMARY_PACKAGE", "CARGO_CRATE_NAME", "LD_LIBRARY_PATH"];
    for (name, value) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        } else if name == "LD_LIBRARY_PATH" {
            // Cargo puts the compiler's and the target's folders in front of what the developer had.
            let theirs = env::split_paths(&value)
                .filter(|path| !path.starts_with(checkout.root()) && !path.to_string_lossy().contains("/toolchains/"));
            match env::join_paths(theirs) {
                Ok(path) if !path.is_empty() => command.env(name, path),
                _ => command.env_remove(name),
            };
        } else if added.contains(&name) {
            command.env_remove(name);
        }
    }
    command
}

/// Where cargo puts what it builds.
pub(crate) fn target(checkout: &Checkout) -> Result<PathBuf> {
    let what = "Cargo cannot be asked for its target folder";
    let said = run(cargo(checkout).args(["metadata", "--no-deps", "--format-version", "1", "--offline"]), what)?;
    let metadata: Value = serde_json::from_str(&said).attempt(|| what.to_owned())?;
    let folder = metadata.get("target_directory").and_then(Value::as_str);
    folder.map(PathBuf::from).ok_or_else(|| Failure::new(what, "it does not say"))
}

/// Builds binaries of the workspace. The whole workspace is selected, so that cargo gives dependencies the same features as
/// in `cargo run --bin NAME`, by which `cargo lambda watch` starts a function, and as in `cargo test --workspace`.
pub(crate) fn build(stack: &Stack, binaries: &[&str], step: &Step) -> Result<()> {
    let what = || "The functions cannot be built".to_owned();
    let log = stack.checkout.log("build");
    let mut log = OpenOptions::new().create(true).write(true).truncate(true).open(&log).attempt(what)?;
    let mut cargo = cargo(&stack.checkout);
    cargo.args(["build", "--workspace", "--color=never"]).args(binaries.iter().flat_map(|name| ["--bin", name]));
    let mut child = cargo.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().attempt(what)?;
    let mut compiled = 0;
    let mut errors = Vec::new();
    for line in child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).lines()).map_while(Result::ok)
    {
        writeln!(log, "{line}").attempt(what)?;
        if let Some(package) = line.trim_start().strip_prefix("Compiling ") {
            compiled += 1;
            step.describe(&format!("building, {compiled} packages so far, {package}"));
        } else if line.starts_with("error") {
            errors.push(line);
        }
    }
    if child.wait().attempt(what)?.success() {
        return Ok(());
    }
    let why = errors.first().cloned().unwrap_or_else(|| "cargo build failed".to_owned());
    Err(Failure::new(what(), why).remedy("All that cargo said: cargo dev logs build"))
}

/// Brings the platform database to the newest schema and makes the first super-admin.
pub(crate) fn migrate(stack: &Stack) -> Result<()> {
    let mut command = Command::new(target(&stack.checkout)?.join("debug").join(MIGRATION));
    equip(&mut command, stack);
    let what = "The platform database cannot be migrated";
    let output = command.stdin(Stdio::null()).output().attempt(|| what.to_owned())?;
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    let _ = fs::write(stack.checkout.log("migrations"), &said);
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(what, format!("{MIGRATION} ended with {}: {}", output.status, tail(&said)))
        .remedy("All that it said: cargo dev logs migrations"))
}

/// `cargo lambda watch`, on the API's port.
pub(crate) fn watch(stack: &Stack) -> Result<Command> {
    let mut command = clean(detached(CARGO_LAMBDA.install()?), &stack.checkout);
    // No `--timeout`: it cuts off idle functions too, which wait for their next request by the same means. And no
    // `--concurrency`: with several processes of a function it loses sight of edits.
    command.args(["lambda", "watch", "--invoke-address", "127.0.0.1", "--color=never"]);
    command.arg("--invoke-port").arg(stack.ports.api().to_string());
    equip(&mut command, stack);
    Ok(command)
}

/// What plays AWS's part around the functions.
pub(crate) fn emulator(stack: &Stack) -> Result<Command> {
    let mut command = detached(target(&stack.checkout)?.join("debug/emulator"));
    equip(&mut command, stack);
    command.current_dir(stack.checkout.root());
    Ok(command)
}

/// The stand-ins of the platform's services, but for those that the developer named.
pub(crate) fn services(stack: &Stack) -> Result<Command> {
    let mut command = detached(target(&stack.checkout)?.join("debug/services"));
    command.arg("--folder").arg(services::folder(&stack.checkout));
    for service in services::ALL.iter().filter(|service| stack.given.get(service.variable).is_none()) {
        command.arg(format!("{}={}", service.name, service.port(&stack.ports)));
    }
    command.current_dir(stack.checkout.root());
    Ok(command)
}

/// Gives a command the functions' environment, and nothing of the developer's own cloud.
pub(crate) fn equip(command: &mut Command, stack: &Stack) {
    let foreign = [
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_DEFAULT_REGION",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
        "AWS_LAMBDA_RUNTIME_API",
    ];
    for name in foreign {
        command.env_remove(name);
    }
    command.envs(stack.variables());
}
