//! `cargo dev bench`

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use serde_json::Value;

use crate::{
    cargo,
    checkout::Checkout,
    error::{DevError, ErrorContext, Result},
    functions,
    install::python::PythonWheel,
    process::tail,
    progress::Progress,
    stack::LocalStack,
    startup::{self, UpOptions},
};

/// The linker that `cargo lambda build` uses, so that the programs run with the older C library of Lambda.
const ZIG: PythonWheel = PythonWheel {
    name: "zig",
    version: "0.17.1",
    requirements: "ziglang==0.17.1 --hash=sha256:ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54\n",
    program: "ziglang/zig",
};

/// Builds each function as it would be deployed, and measures. `--skip-build` measures an earlier build.
pub(crate) fn run(checkout: Checkout, arguments: &[String]) -> Result<ExitCode> {
    let stack = startup::bring_up(checkout, &UpOptions { servers_only: true, ..UpOptions::default() })?;
    let (skip, arguments): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| *argument == "--skip-build");
    if skip.is_empty() {
        build(&stack)?;
    }
    let target = cargo::target(&stack.checkout)?;
    let mut bench = cargo::with_shell_environment(Command::new(target.join("lambda/bench/bootstrap")), &stack.checkout);
    bench.arg("--target").arg(target).args(arguments);
    functions::set_environment(&mut bench, &stack);
    let status = bench.status().context(|| "The benchmark cannot be run".into())?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the functions, their floors and the benchmark in the same way. Each is built alone, because cargo unifies the
/// features of what it builds together.
fn build(stack: &LocalStack) -> Result<()> {
    let progress = Progress::start();
    let step = progress.step("release", "preparing");
    let cargo_lambda = functions::CARGO_LAMBDA.install()?;
    let zig = ZIG.install()?;
    let package = |name: String| vec!["--package".to_owned(), name];
    let mut builds: Vec<_> = functions::names(&stack.checkout)?.into_iter().map(package).collect();
    builds.extend(floors(&cargo::metadata(&stack.checkout)?));
    builds.push(package("bench".to_owned()));
    for arguments in builds {
        let name = arguments[1..].join(" ");
        step.begin(&format!("building {name}"));
        let mut build = cargo::with_shell_environment(Command::new(&cargo_lambda), &stack.checkout);
        build.args(["lambda", "build", "--release", "--skip-target-check"]).args(&arguments);
        if let Some(folder) = zig.parent() {
            build.env("PATH", prepend_to_path(folder)?);
        }
        let action = || format!("{name} cannot be built");
        let output = build.output().context(action)?;
        if !output.status.success() {
            return Err(DevError::new(action(), tail(&String::from_utf8_lossy(&output.stderr))));
        }
    }
    step.done("every function is built for release, each alone");
    Ok(())
}

/// The arguments that build each floor: a bare function that links the same crates as a function, for comparison. Floors are
/// the binaries `floor-*` of the package `floor`, each with the features that it requires.
fn floors(metadata: &Value) -> Vec<Vec<String>> {
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let package = list(metadata, "packages").into_iter().find(|package| text(package, "name") == "floor");
    let targets = package.map(|package| list(&package, "targets")).unwrap_or_default();
    let arguments = |target: Value| {
        let name = text(&target, "name");
        let mut arguments = ["--package", "floor", "--bin", &name].map(ToOwned::to_owned).to_vec();
        let features: Vec<_> = list(&target, "required-features")
            .iter()
            .filter_map(|feature| Some(feature.as_str()?.to_owned()))
            .collect();
        if !features.is_empty() {
            arguments.extend(["--features".to_owned(), features.join(",")]);
        }
        name.starts_with("floor-").then_some(arguments)
    };
    targets.into_iter().filter_map(arguments).collect()
}

/// The `PATH` with a folder before all others.
fn prepend_to_path(folder: &Path) -> Result<std::ffi::OsString> {
    let path = std::env::vars_os().find(|(name, _)| name == "PATH").map(|(_, path)| path).unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).context(|| "PATH cannot be extended".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_floor_is_built_with_the_features_that_it_requires() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "bench", "targets": [{ "name": "bench" }] },
            { "name": "floor", "targets": [
                { "name": "floor" },
                { "name": "floor-bare" },
                { "name": "floor-login", "required-features": ["login", "redis"] },
            ]},
        ]});
        let expected = [
            "--package floor --bin floor-bare".to_owned(),
            "--package floor --bin floor-login --features login,redis".to_owned(),
        ];
        assert_eq!(floors(&metadata).iter().map(|arguments| arguments.join(" ")).collect::<Vec<_>>(), expected);
    }
}
