//! Runs the builds.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use jobserver::Client;

use super::{Architecture, Artifact, Lane, lanes};
use crate::{
    cargo,
    checkout::Checkout,
    error::{DevError, ErrorContext, Result},
    functions,
    install::python::PythonWheel,
    process::{prepend_to_path, run, tail},
    progress::Progress,
};

/// The compiler and linker that `cargo lambda build` uses, so that the programs run with the older C library of Lambda.
const ZIG: PythonWheel = PythonWheel {
    name: "zig",
    version: "0.17.1",
    requirements: "ziglang==0.17.1 --hash=sha256:ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54\n",
    program: "ziglang/zig",
};

/// Builds artifacts into `folder`, each as `NAME/bootstrap`.
pub(crate) fn build(
    checkout: &Checkout,
    artifacts: &[Artifact],
    architecture: Architecture,
    folder: &Path,
) -> Result<()> {
    let progress = Progress::start();
    let step = progress.step("release", "preparing");
    check_target(checkout, architecture)?;
    let tools = Tools { cargo_lambda: functions::CARGO_LAMBDA.install()?, zig: ZIG.install()?, architecture };
    // A build that fails must leave nothing that could be deployed in its place.
    for artifact in artifacts {
        let _missing = fs::remove_dir_all(folder.join(&artifact.binary));
    }
    let target = cargo::target(checkout)?;
    let action = "The functions cannot be built";
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let tokens = Client::new(processors).context(|| action.to_owned())?;
    let lanes = lanes(artifacts);
    step.begin(&format!("building {} programs", artifacts.len()));
    let built = thread::scope(|scope| {
        let run_lane = |(lane, artifacts): (&Lane, &Vec<Artifact>)| {
            // Each cargo may always run one compiler, and one more for each token that it takes.
            let _own = tokens.acquire().context(|| action.to_owned())?;
            let target = target.join("deploy").join(lane.folder());
            let mut command = tools.command(checkout, artifacts, &target)?;
            tokens.configure(&mut command);
            let output = command.output().context(|| action.to_owned())?;
            if !output.status.success() {
                return Err(DevError::new(action, tail(&String::from_utf8_lossy(&output.stderr))));
            }
            artifacts.iter().try_for_each(|artifact| artifact.copy(&target, folder))
        };
        let threads: Vec<_> = lanes.iter().map(|lane| scope.spawn(move || run_lane(lane))).collect();
        threads.into_iter().try_for_each(|lane| match lane.join() {
            Ok(result) => result,
            Err(_) => Err(DevError::new(action, "a thread panicked, as shown above")),
        })
    });
    built?;
    step.done(&format!("{} programs are built in {}", artifacts.len(), folder.display()));
    Ok(())
}

struct Tools {
    cargo_lambda: PathBuf,
    zig: PathBuf,
    architecture: Architecture,
}

impl Tools {
    /// The command that builds the binaries of a lane.
    fn command(&self, checkout: &Checkout, artifacts: &[Artifact], target: &Path) -> Result<Command> {
        let mut command = cargo::with_shell_environment(Command::new(&self.cargo_lambda), checkout);
        command.args(["lambda", "build", "--release", "--locked", "--skip-target-check", "--color=never"]);
        command.args(["--target", self.architecture.target()]).env("CARGO_TARGET_DIR", target);
        let packages: BTreeSet<_> = artifacts.iter().map(|artifact| &artifact.package).collect();
        command.args(packages.into_iter().flat_map(|package| ["--package", package]));
        command.args(artifacts.iter().flat_map(|artifact| ["--bin", &artifact.binary]));
        let features: BTreeSet<_> = artifacts.iter().flat_map(Artifact::qualified_features).collect();
        if !features.is_empty() {
            command.args(["--features", &features.into_iter().collect::<Vec<_>>().join(",")]);
        }
        if let Some(zig) = self.zig.parent() {
            command.env("PATH", prepend_to_path(zig)?);
        }
        Ok(command)
    }
}

impl Artifact {
    /// Copies it from where `cargo lambda build` leaves it. That leaves there whatever it finds, also from earlier builds.
    fn copy(&self, target: &Path, folder: &Path) -> Result<()> {
        let action = || format!("{} cannot be copied to {}", self.binary, folder.display());
        let folder = folder.join(&self.binary);
        fs::create_dir_all(&folder).context(action)?;
        fs::copy(target.join("lambda").join(&self.binary).join("bootstrap"), folder.join("bootstrap"))
            .context(action)?;
        Ok(())
    }
}

/// Whether Rust's standard library for the architecture is installed.
fn check_target(checkout: &Checkout, architecture: Architecture) -> Result<()> {
    let target = architecture.target();
    let action = format!("Nothing can be built for {target}");
    let mut rustc = cargo::with_shell_environment(Command::new("rustc"), checkout);
    let folder = run(rustc.args(["--print", "target-libdir", "--target", target]), &action)?;
    if Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    Err(DevError::new(action, "Rust's standard library for it is not installed")
        .remedy(format!("rustup target add {target}")))
}
