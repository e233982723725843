//! Brings up the stack: what can run concurrently does.
//!
//! System packages, downloads, servers and the build of the functions proceed side by side, and each waits only for what it
//! needs. The functions start when every server is up, except one that is still being compiled: MinIO, on a machine's first
//! start. Requests are answered meanwhile; a new tenant waits for object storage, as it does whenever that is down.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::{self, Scope, ScopedJoinHandle},
    time::Duration,
};

use clap::Args;

use crate::{
    api::{self, SignInError},
    cargo,
    checkout::Checkout,
    console,
    error::{DevError, ErrorContext, Result},
    functions,
    install::system::{self, PackageInstallation, SystemPackage},
    process,
    progress::Progress,
    servers::{self, lifecycle, server::LocalServer},
    stack::LocalStack,
    supervisor,
};

/// What compiling the functions and creating keys needs.
const COMPILERS: &[SystemPackage] = &[
    SystemPackage::OpenSsl,
    SystemPackage::Compiler,
    SystemPackage::Cmake,
    SystemPackage::OpenSslHeaders,
    SystemPackage::PkgConfig,
];

/// The options of `cargo dev up`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct UpOptions {
    /// Return when everything is up, instead of printing logs until Ctrl-C and stopping everything then
    #[arg(long, short)]
    pub(crate) detach: bool,
    /// Start the servers and migrate the platform database, without the functions
    #[arg(long)]
    pub(crate) servers_only: bool,
    /// The port of the HTTP API, also for later starts
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
}

/// The free disk below which nothing is started. With less, servers fail with errors that do not name the cause.
const MIN_FREE_BYTES: u64 = 2 << 30;

/// Fails if the disk of the checkout is almost full.
fn check_disk(checkout: &Checkout) -> Result<()> {
    let action = || format!("The free space of {} cannot be read", checkout.root().display());
    let disk = rustix::fs::statvfs(checkout.root()).map_err(std::io::Error::from).context(action)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= MIN_FREE_BYTES {
        return Ok(());
    }
    let reason = format!("only {} MiB of disk are free, and at least {} are needed", free >> 20, MIN_FREE_BYTES >> 20);
    Err(DevError::new("The stack cannot start", reason)
        .remedy("Remove what is not needed, such as old `target` folders"))
}

/// Brings up the stack, or the servers only. What already runs and answers is left alone.
pub(crate) fn bring_up(checkout: Checkout, options: &UpOptions) -> Result<LocalStack> {
    check_disk(&checkout)?;
    let _lock = checkout.lock()?;
    let progress = Progress::start();
    // Needed before anything else.
    system::install(COMPILERS, &progress)?;
    let stack = LocalStack::create(checkout, options.port)?;
    let servers: Vec<_> = servers::local(&stack).collect();
    let packages = servers.iter().flat_map(|server| server.packages());
    let packages = PackageInstallation::of_missing(
        packages.chain(functions::CARGO_LAMBDA.required_packages()).chain(console::required_packages()),
    );
    let startup = Startup { stack: &stack, progress: &progress, packages: &packages, failed: Mutex::default() };
    let complete = thread::scope(|scope| startup.run(scope, &servers, options.servers_only));
    startup.result(complete)?;
    Ok(stack)
}

/// The state that the concurrent parts of one start share.
struct Startup<'a> {
    stack: &'a LocalStack,
    progress: &'a Arc<Progress>,
    packages: &'a PackageInstallation,
    /// The names of the parts that failed. Their errors are printed already.
    failed: Mutex<Vec<String>>,
}

impl<'a> Startup<'a> {
    /// Returns whether every part succeeded.
    fn run<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, 'a>,
        servers: &[&'static dyn LocalServer],
        servers_only: bool,
    ) -> bool {
        let packages = scope.spawn(|| self.attempt("system packages", || self.packages.run(self.progress)));
        let start = |server: &'static dyn LocalServer| {
            scope.spawn(move || self.attempt(server.name(), || self.start_server(server)))
        };
        let (slow, quick): (Vec<_>, Vec<_>) = servers.iter().copied().partition(|server| server.must_be_built());
        let [slow, quick] = [slow, quick].map(|servers| servers.into_iter().map(start).collect::<Vec<_>>());
        let build = scope.spawn(move || self.attempt("functions", || self.build_functions(servers_only)));
        let cargo_lambda = scope.spawn(|| self.attempt("cargo-lambda", || self.install_cargo_lambda()));

        let ready = all_succeeded(quick.into_iter().chain([packages, build, cargo_lambda]))
            && self.attempt("migrations", || self.migrate())
            && (servers_only || self.attempt("functions", || self.start_functions()));
        if ready && !servers_only {
            let (url, seconds) = (self.stack.api_url(), self.progress.elapsed().as_secs());
            self.progress
                .print(&format!("the API answers, {seconds} s after the command began: {url}/api/super-admin"));
        }
        let complete = all_succeeded(slow) && ready;
        if complete && !servers_only {
            let seconds = self.progress.elapsed().as_secs();
            self.progress.print(&format!("tenants can be provisioned, {seconds} s after the command began"));
        }
        complete
    }

    /// Runs one part. An error is printed at once, because other parts may go on for minutes.
    fn attempt(&self, part: &str, run: impl FnOnce() -> Result<()>) -> bool {
        let Err(error) = run() else { return true };
        self.progress.print(&format!("error: {error}"));
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(part.to_owned());
        false
    }

    fn result(self, complete: bool) -> Result<()> {
        let failed = self.failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        if complete {
            return Ok(());
        }
        let reason = match failed.as_slice() {
            [] => "a thread panicked, as shown above".to_owned(),
            _ => format!("{} failed, as shown above", failed.join(", ")),
        };
        Err(DevError::new("The stack is not completely up", reason)
            .remedy("Correct the cause and run the command again"))
    }

    fn start_server(&self, server: &dyn LocalServer) -> Result<()> {
        let step = self.progress.step(server.name(), "waiting for system packages");
        self.packages.wait_for(&server.packages())?;
        let before = process::recorded(&self.stack.checkout, server.name());
        lifecycle::ensure(server, self.stack, &step)?;
        if before != process::recorded(&self.stack.checkout, server.name()) {
            step.done(&format!("{} is up on port {}", server.name(), server.ports(self.stack)[0]));
        }
        Ok(())
    }

    fn build_functions(&self, servers_only: bool) -> Result<()> {
        let step = self.progress.step("functions", "building");
        let checkout = &self.stack.checkout;
        if servers_only {
            return cargo::build(checkout, &[functions::MIGRATION], &step);
        }
        let functions = functions::names(checkout)?;
        let binaries: Vec<_> = functions.iter().map(String::as_str).chain(["emulator", "services"]).collect();
        let (built, console_changed) = thread::scope(|scope| {
            let console = scope.spawn(|| self.build_console());
            (cargo::build(checkout, &binaries, &step), console.join().unwrap_or(false))
        });
        built?;
        // The function may have been compiled before its files were complete.
        if console_changed { cargo::build(checkout, &[console::FUNCTION], &step) } else { Ok(()) }
    }

    /// Returns whether the console changed. Without it everything else works, so that a failure is only reported.
    fn build_console(&self) -> bool {
        let step = self.progress.step("console", "waiting for system packages");
        let built = self
            .packages
            .wait_for(&console::required_packages())
            .and_then(|()| console::build(&self.stack.checkout, &step));
        match built {
            Ok(false) => false,
            Ok(true) => {
                step.done("the console is built");
                true
            }
            Err(error) => {
                self.progress.print(&format!("warning: {error}"));
                false
            }
        }
    }

    fn install_cargo_lambda(&self) -> Result<()> {
        self.packages.wait_for(&functions::CARGO_LAMBDA.required_packages())?;
        functions::CARGO_LAMBDA.install().map(drop)
    }

    fn migrate(&self) -> Result<()> {
        let step = self.progress.step("migrations", "running");
        functions::migrate(self.stack)?;
        step.done("the platform database is migrated");
        Ok(())
    }

    fn start_functions(&self) -> Result<()> {
        const TIMEOUT: Duration = Duration::from_secs(20);
        let step = self.progress.step("functions", "starting");
        for part in supervisor::PARTS {
            supervisor::set_stopped(&self.stack.checkout, part, false)?;
        }
        let before = process::recorded(&self.stack.checkout, "functions");
        supervisor::ensure(self.stack)?;
        api::wait_for_watch(self.stack)?;
        step.begin("signing in");
        let signed_in = match api::sign_in(self.stack, TIMEOUT) {
            // Too many concurrent requests deadlock `cargo lambda watch`. Only a restart helps then.
            Err(SignInError::NoAnswer(_)) => {
                step.begin("restarting, because they do not answer");
                supervisor::stop_part(self.stack, "functions");
                api::wait_for_watch(self.stack)?;
                api::sign_in(self.stack, TIMEOUT)
            }
            answer => answer,
        };
        match signed_in {
            // The functions answer. `cargo dev token` recovers the super-admin.
            Ok(_) | Err(SignInError::WrongPassword(_)) => {}
            Err(error) => return Err(error.into()),
        }
        if before != process::recorded(&self.stack.checkout, "functions") {
            step.done(&format!("the functions are up on port {}", self.stack.ports.api()));
        }
        Ok(())
    }
}

/// Waits for all of the threads, also after a failure of one.
fn all_succeeded<'scope>(parts: impl IntoIterator<Item = ScopedJoinHandle<'scope, bool>>) -> bool {
    let succeeded: Vec<_> = parts.into_iter().map(|part| part.join().unwrap_or(false)).collect();
    succeeded.into_iter().all(|succeeded| succeeded)
}
