//! `cargo dev bench`

use std::process::{Command, ExitCode};

use crate::{
    checkout::Checkout,
    commands::up,
    failure::{Attempt, Failure, Result},
    functions,
    install::python::Wheel,
    process::tail,
    progress::Progress,
    stack::Stack,
};

/// The linker that `cargo lambda build` links with, so that what it builds runs on Lambda's older C library.
const ZIG: Wheel = Wheel {
    name: "zig",
    version: "0.17.1",
    requirements: "ziglang==0.17.1 --hash=sha256:ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54\n",
    program: "ziglang/zig",
};

/// Bare functions that link what the functions link, which they are compared with.
const FLOORS: [&str; 7] =
    ["change-password", "check-health", "create-tenant", "get-tenant", "list-tenant-usage", "login", "update-tenant"];

/// Builds each function as it would be deployed, and measures; with `--skip-build`, what was built before.
pub(crate) fn run(checkout: Checkout, arguments: &[String]) -> Result<ExitCode> {
    let stack = up::bring_up(checkout, &up::Options { servers_only: true, ..Default::default() })?;
    let (skip, arguments): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| *argument == "--skip-build");
    if skip.is_empty() {
        build(&stack)?;
    }
    let target = functions::target(&stack.checkout)?;
    let mut bench = functions::clean(Command::new(target.join("lambda/bench/bootstrap")), &stack.checkout);
    bench.arg("--target").arg(target).args(arguments);
    functions::equip(&mut bench, &stack);
    let status = bench.status().attempt(|| "The benchmark cannot be run".into())?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the functions, their floors and the benchmark, all in the same way. One at a time: cargo would give what is built
/// together the sum of what each needs of a library.
fn build(stack: &Stack) -> Result<()> {
    let progress = Progress::start();
    let step = progress.step("release", "preparing");
    let cargo_lambda = functions::CARGO_LAMBDA.install()?;
    let zig = ZIG.install()?;
    let mut builds: Vec<_> =
        functions::all(&stack.checkout)?.into_iter().map(|name| vec!["--package".to_owned(), name]).collect();
    let floor = |name: &str| ["--package", "floor", "--bin", name].map(ToOwned::to_owned).to_vec();
    builds.push(floor("floor-bare"));
    for name in FLOORS {
        builds.push([floor(&format!("floor-{name}")), vec!["--features".to_owned(), name.to_owned()]].concat());
    }
    builds.push(vec!["--package".to_owned(), "bench".to_owned()]);
    for what in builds {
        let what = &what;
        step.doing(&format!("building {}", what[1..].join(" ")));
        let mut build = functions::clean(Command::new(&cargo_lambda), &stack.checkout);
        build.args(["lambda", "build", "--release", "--skip-target-check"]).args(what);
        if let Some(folder) = zig.parent() {
            build.env("PATH", prepended(folder)?);
        }
        let failed = || format!("{} cannot be built", what[1]);
        let output = build.output().attempt(failed)?;
        if !output.status.success() {
            return Err(Failure::new(failed(), tail(&String::from_utf8_lossy(&output.stderr))));
        }
    }
    step.done("every function is built for release, each by itself");
    Ok(())
}

/// The `PATH` with a folder in front.
fn prepended(folder: &std::path::Path) -> Result<std::ffi::OsString> {
    let path = std::env::vars_os().find(|(name, _)| name == "PATH").map(|(_, path)| path).unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).attempt(|| "PATH cannot be extended".into())
}
