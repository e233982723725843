//! `cargo dev up`

use std::{
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use clap::Args;

use crate::{
    checkout::Checkout,
    commands::{
        attach, print,
        token::{self, Trouble},
    },
    failure::{Failure, Result},
    functions,
    install::{self, system::Need},
    probe, process,
    progress::Progress,
    servers::{self, Server},
    stack::Stack,
    supervisor,
};

/// What `up` can be told.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Returns when everything is up, instead of staying until Ctrl-C and stopping everything then
    #[arg(long, short)]
    pub(crate) detach: bool,
    /// Starts the servers, migrates and returns, but leaves the functions alone
    #[arg(long)]
    pub(crate) servers_only: bool,
    /// The port of the HTTP API, from now on
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
}

/// Brings everything up, says so, and stays if it was not told to detach.
pub(crate) fn run(checkout: Checkout, options: &Options) -> Result<ExitCode> {
    let stack = bring_up(checkout, options)?;
    print(&summary(&stack, options.servers_only));
    if options.detach || options.servers_only {
        return Ok(ExitCode::SUCCESS);
    }
    attach::run(&stack)
}

/// Brings up what the options ask for. What already runs and answers is left alone.
pub(crate) fn bring_up(checkout: Checkout, options: &Options) -> Result<Stack> {
    let _lock = checkout.lock()?;
    let progress = Progress::start();
    // OpenSSL, which makes the keys, may itself have to be installed first.
    install::system::install(&[Need::OpenSsl, Need::Compiler], &progress)?;
    let stack = Stack::establish(checkout, options.port)?;
    install::system::install(&needs(&stack), &progress)?;

    thread::scope(|scope| {
        let servers: Vec<_> =
            servers::ours(&stack).map(|server| scope.spawn(|| ensure(server, &stack, &progress))).collect();
        let functions = scope.spawn(|| prepare_functions(&stack, options.servers_only, &progress));
        let mut failures: Vec<_> = servers.into_iter().filter_map(|server| outcome(server.join()).err()).collect();
        failures.extend(outcome(functions.join()).err());
        first_of(failures)
    })?;

    let step = progress.step("migrations", "running");
    functions::migrate(&stack)?;
    step.done("the platform database is migrated");
    if !options.servers_only {
        start_functions(&stack, &progress)?;
    }
    Ok(stack)
}

fn ensure(server: &dyn Server, stack: &Stack, progress: &Arc<Progress>) -> Result<()> {
    let step = progress.step(server.name(), "looking");
    let ran = process::recorded(&stack.checkout, server.name());
    servers::ensure(server, stack, &step)?;
    if ran != process::recorded(&stack.checkout, server.name()) {
        step.done(&format!("{} is up on port {}", server.name(), server.ports(stack)[0]));
    }
    Ok(())
}

fn prepare_functions(stack: &Stack, servers_only: bool, progress: &Arc<Progress>) -> Result<()> {
    let step = progress.step("functions", "building");
    functions::CARGO_LAMBDA.install()?;
    if servers_only {
        return functions::build(stack, &[functions::MIGRATION], &step);
    }
    let all = functions::all(&stack.checkout)?;
    let binaries: Vec<_> = all.iter().map(String::as_str).chain(["emulator", "services"]).collect();
    functions::build(stack, &binaries, &step)
}

fn start_functions(stack: &Stack, progress: &Arc<Progress>) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(20);
    let step = progress.step("functions", "starting");
    for part in supervisor::PARTS {
        supervisor::hold(&stack.checkout, part, false)?;
    }
    let ran = process::recorded(&stack.checkout, "functions");
    supervisor::ensure(stack)?;
    wait_for_api(stack)?;
    step.doing("signing in");
    let signed_in = match token::sign_in(stack, PATIENCE) {
        // Too many requests at once deadlock `cargo lambda watch`; then only another one helps.
        Err(Trouble::Silent(_)) => {
            step.doing("restarting, for they do not answer");
            supervisor::stop_part(stack, "functions");
            wait_for_api(stack)?;
            token::sign_in(stack, PATIENCE)
        }
        answer => answer,
    };
    signed_in?;
    if ran != process::recorded(&stack.checkout, "functions") {
        step.done(&format!("the functions are up on port {}", stack.ports.api()));
    }
    Ok(())
}

fn wait_for_api(stack: &Stack) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(30);
    let begun = Instant::now();
    while let Err(why) = probe::get(&stack.api_url()) {
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new("cargo lambda watch does not answer", why)
                .remedy("What it said: cargo dev logs functions"));
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// What has to be on the system for what is not installed or running yet.
fn needs(stack: &Stack) -> Vec<Need> {
    let ours = |name: &str| servers::ours(stack).any(|server| server.name() == name);
    let jars = (ours("kafka") && !servers::kafka::JARS.is_installed())
        || (ours("elasticmq") && !servers::elasticmq::JARS.is_installed());
    let wheels = !functions::CARGO_LAMBDA.is_installed()
        || (ours("mongo") && !servers::mongo::WHEEL.is_installed())
        || (ours("minio") && servers::minio::MODULE.lacks_go());
    let needs = [
        (ours("postgres"), Need::Postgres),
        (ours("redis"), Need::Redis),
        (ours("kafka") || ours("elasticmq"), Need::Java),
        (jars, Need::Maven),
        (ours("minio"), Need::Curl),
        (wheels, Need::Pip),
    ];
    needs.into_iter().filter(|(needed, _)| *needed).map(|(_, need)| need).collect()
}

fn outcome(joined: thread::Result<Result<()>>) -> Result<()> {
    joined.unwrap_or_else(|_| Err(Failure::new("`cargo dev up` failed", "a bug in it, of which it says more above")))
}

/// One failure is the program's; more are told each in a line of its own.
fn first_of(failures: Vec<Failure>) -> Result<()> {
    let mut failures = failures.into_iter().rev();
    let Some(last) = failures.next() else { return Ok(()) };
    for failure in failures {
        eprintln!("error: {failure}");
    }
    Err(last)
}

fn summary(stack: &Stack, servers_only: bool) -> String {
    let mut lines = vec![String::new()];
    for server in servers::ALL {
        let place = match stack.given.get(server.variable()) {
            None => format!("127.0.0.1:{}", server.ports(stack)[0]),
            Some(_) => format!("yours, of {}", server.variable()),
        };
        lines.push(format!("  {:<10} {place}", server.name()));
    }
    lines.push(String::new());
    let secrets = stack.checkout.local("secrets/secrets.json");
    if servers_only {
        lines.push("The servers are up. Variables for programs: cargo dev env".to_owned());
        lines.push("Functions by hand, with what AWS does around them in another terminal:".to_owned());
        lines.push(format!(
            "  env $(cargo dev env) {} lambda watch --invoke-address 127.0.0.1 --invoke-port {}",
            cargo_lambda(),
            stack.ports.api()
        ));
        lines.push("  env $(cargo dev env) cargo run --bin emulator".to_owned());
    } else {
        lines.push(format!("The API is at {}/api/super-admin", stack.api_url()));
        lines.push(format!(
            "Super-admin: {}, password in `cargo dev env` (kept in {})",
            crate::environment::FIRST_ADMIN_EMAIL,
            secrets.display()
        ));
        lines.push("Try:".to_owned());
        lines.push(format!(
            "  curl -H \"Authorization: Bearer $(cargo dev token)\" {}/api/super-admin/tenants",
            stack.api_url()
        ));
    }
    lines.push("Also: cargo dev status | logs [NAME] [--follow] | test | down [--wipe]".to_owned());
    lines.push(String::new());
    lines.join("\n")
}

/// How to call `cargo lambda` in a shell.
fn cargo_lambda() -> String {
    match functions::CARGO_LAMBDA.install() {
        Ok(program) if !install::system::found("cargo-lambda") => program.display().to_string(),
        _ => "cargo".to_owned(),
    }
}
