//! A process of its own that keeps the functions (`cargo lambda watch`), the emulator and the stand-ins of services running.
//!
//! It does not restart servers: a test or a developer that stops a server needs it to stay stopped.

use std::{
    fs,
    process::{Child, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use sha2::{Digest, Sha256};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::{
    checkout::{Checkout, FileLock, write_file},
    error::{ErrorContext, Result},
    functions, probe,
    process::{self, ProcessIdentity},
    stack::LocalStack,
    stand_ins,
    status_line::StatusLine,
};

mod function_processes;
mod log;

use function_processes::FunctionProcesses;
use log::log;

/// The names of what the supervisor keeps running.
pub(crate) const PARTS: [&str; 3] = ["functions", "emulator", "services"];

const NAME: &str = "supervisor";
const CHECK_INTERVAL: Duration = Duration::from_millis(400);
/// A part that ends sooner than this after its start is restarted after a growing pause.
const MIN_LIFETIME: Duration = Duration::from_secs(5);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Sets whether a part stays stopped.
pub(crate) fn set_stopped(checkout: &Checkout, part: &str, stopped: bool) -> Result<()> {
    let file = checkout.local(&format!("run/{part}.stopped"));
    if stopped {
        return write_file(&file, "");
    }
    let _ = fs::remove_file(file);
    Ok(())
}

fn is_stopped(checkout: &Checkout, part: &str) -> bool {
    checkout.local(&format!("run/{part}.stopped")).exists()
}

/// Whether `up` started the functions and nothing stopped them since.
pub(crate) fn is_wanted(checkout: &Checkout) -> bool {
    checkout.local("run/functions.wanted").exists()
}

/// Ensures that a supervisor of this build runs with the stack's environment. Parts that run and are current go on.
pub(crate) fn ensure(stack: &LocalStack) -> Result<()> {
    let checkout = &stack.checkout;
    let environment = environment_digest(stack);
    let file = checkout.local("run/functions.wanted");
    if fs::read_to_string(&file).unwrap_or_default() != environment {
        stop(stack);
        write_file(&file, &environment)?;
    }
    for part in ["emulator", "services", NAME] {
        if let Some(process) = process::recorded(checkout, part).filter(ProcessIdentity::is_outdated) {
            // Killed, because a supervisor that receives SIGTERM stops all its parts.
            process.stop(Signal::KILL, Duration::from_secs(5));
        }
    }
    // `cargo lambda watch` missed an edit. It is restarted, so that all functions run the new build.
    if function_processes::any_outdated(stack) {
        stop_part(stack, "functions");
    }
    if process::recorded(checkout, NAME).is_none() {
        let program = std::env::current_exe().context(|| "The path of this program cannot be read".into())?;
        // The kernel appends this mark when a newer build replaced the file. The new file is at the same path.
        let program = program.to_string_lossy().trim_end_matches(" (deleted)").to_owned();
        let mut command = process::detached(program);
        let (_, child) = process::launch(checkout, NAME, command.arg("supervise").current_dir(checkout.root()))?;
        process::wait_in_background(child);
    }
    Ok(())
}

/// When it changes, all parts must be restarted.
fn environment_digest(stack: &LocalStack) -> String {
    format!("{:x}", Sha256::digest(stack.environment()))
}

/// Stops the supervisor and all its parts.
pub(crate) fn stop(stack: &LocalStack) {
    let _ = fs::remove_file(stack.checkout.local("run/functions.wanted"));
    if let Some(supervisor) = process::recorded(&stack.checkout, NAME) {
        supervisor.stop(Signal::TERM, Duration::from_secs(1));
    }
    process::forget(&stack.checkout, NAME);
    thread::scope(|scope| {
        for part in PARTS {
            scope.spawn(move || stop_part(stack, part));
        }
    });
}

pub(crate) fn stop_part(stack: &LocalStack, part: &str) {
    if let Some(process) = process::recorded(&stack.checkout, part) {
        process.stop(Signal::TERM, Duration::from_secs(5));
    }
    process::forget(&stack.checkout, part);
    if part == "functions" {
        function_processes::stop_all(stack);
    }
}

/// The lines of `cargo dev status` about the supervisor and its parts. Empty unless the functions are wanted.
pub(crate) fn status(stack: &LocalStack) -> Vec<StatusLine> {
    let checkout = &stack.checkout;
    if !is_wanted(checkout) {
        return Vec::new();
    }
    let line = |name: &str, port: Option<u16>, answer: Option<Result<String, String>>| {
        let process = process::recorded(checkout, name);
        let answer = match &process {
            None if is_stopped(checkout, name) => Err(format!("stopped by `cargo dev stop {name}`")),
            None => Err("not running".to_owned()),
            Some(_) => answer.unwrap_or_else(|| Ok("running".to_owned())),
        };
        let up = answer.is_ok();
        let details = answer.unwrap_or_else(|reason| reason);
        let pid = process.map(|process| process.pid);
        StatusLine { name: name.to_owned(), up, state: if up { "up" } else { "down" }, pid, port, details }
    };
    let answer = probe::get(&stack.api_url()).map(|_| "cargo lambda watch answers".to_owned());
    let mut lines = vec![
        line(NAME, None, None),
        line("emulator", None, None),
        line("functions", Some(stack.ports.api()), Some(answer)),
    ];
    lines.extend(function_processes::status(stack));
    let services = line("services", None, None);
    let stand_ins = stand_ins::status(stack, services.up);
    lines.push(services);
    lines.extend(stand_ins);
    lines
}

/// The supervisor's main loop: `cargo dev supervise`.
pub(crate) fn run(checkout: Checkout) -> Result<ExitCode> {
    let stack = LocalStack::load(checkout)?;
    let _lock = FileLock::wait(&stack.checkout.local("run/supervisor.lock"), "another supervisor is running")?;
    let end = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&end)).context(|| "Signals cannot be handled".into())?;
    }
    let mut parts = PARTS.map(|name| SupervisedPart { name, child: None, last_started: None, pause: Duration::ZERO });
    let mut processes = FunctionProcesses::load(&stack);
    while !end.load(Ordering::Relaxed) && stack.checkout.local("run").exists() {
        for part in &mut parts {
            part.check(&stack);
        }
        processes.check(&stack, process::recorded(&stack.checkout, "functions").as_ref());
        thread::sleep(CHECK_INTERVAL);
    }
    for part in PARTS {
        stop_part(&stack, part);
    }
    Ok(ExitCode::SUCCESS)
}

/// A process that is restarted when it ends.
struct SupervisedPart {
    name: &'static str,
    child: Option<Child>,
    last_started: Option<Instant>,
    pause: Duration,
}

impl SupervisedPart {
    fn check(&mut self, stack: &LocalStack) {
        if let Some(child) = &mut self.child
            && let Ok(Some(status)) = child.try_wait()
        {
            log(&format!("{} ended: {status}", self.name));
            self.child = None;
        }
        let alive = process::recorded(&stack.checkout, self.name).is_some();
        if is_stopped(&stack.checkout, self.name) {
            if alive {
                stop_part(stack, self.name);
            }
            self.last_started = None;
            return;
        }
        let paused = self.last_started.is_some_and(|started| started.elapsed() < self.pause);
        if alive || paused {
            return;
        }
        let short_lived = self.last_started.is_some_and(|started| started.elapsed() < self.pause + MIN_LIFETIME);
        self.pause = if short_lived { (self.pause * 2).clamp(CHECK_INTERVAL, MAX_PAUSE) } else { Duration::ZERO };
        self.last_started = Some(Instant::now());
        match self.start(stack) {
            Ok((process, child)) => {
                log(&format!("{} started: process {}", self.name, process.pid));
                self.child = Some(child);
            }
            Err(error) => log(&error.to_string()),
        }
    }

    fn start(&self, stack: &LocalStack) -> Result<(ProcessIdentity, Child)> {
        let mut command = match self.name {
            "functions" => {
                // Functions of a `cargo lambda watch` that was killed would receive requests from the new one.
                function_processes::stop_all(stack);
                functions::watch(stack)?
            }
            "services" => stand_ins::command(stack)?,
            _ => functions::emulator(stack)?,
        };
        process::launch(&stack.checkout, self.name, &mut command)
    }
}
