//! Keeps the functions (`cargo lambda watch`), the emulator and the stand-ins of services running, in a process of its own.
//!
//! The stores are not its business: a test or a developer who stops one wants it stopped.

use std::{
    fs,
    process::{Child, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use rustix::process::Signal;
use sha2::{Digest, Sha256};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::{
    checkout::{Checkout, Lock, write_whole},
    commands::status::Line,
    failure::{Attempt, Result},
    functions, probe,
    process::{self, Identity},
    services,
    stack::Stack,
};

mod instances;

use instances::Instances;

/// What is kept running.
pub(crate) const PARTS: [&str; 3] = ["functions", "emulator", "services"];

const NAME: &str = "supervisor";
/// How often it looks.
const ROUND: Duration = Duration::from_millis(400);
/// A part that ends sooner than this after its start is started again more and more slowly.
const SHORT_LIFE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Says whether a part shall stay down.
pub(crate) fn hold(checkout: &Checkout, part: &str, held: bool) -> Result<()> {
    let file = checkout.local(&format!("run/{part}.held"));
    if held {
        return write_whole(&file, "");
    }
    let _ = fs::remove_file(file);
    Ok(())
}

fn is_held(checkout: &Checkout, part: &str) -> bool {
    checkout.local(&format!("run/{part}.held")).exists()
}

/// Whether the functions are meant to be up at all.
pub(crate) fn wanted(checkout: &Checkout) -> bool {
    checkout.local("run/functions.wanted").exists()
}

/// Has a supervisor run, of this build and with this environment. What runs already goes on.
pub(crate) fn ensure(stack: &Stack) -> Result<()> {
    let checkout = &stack.checkout;
    let environment = environment(stack);
    let file = checkout.local("run/functions.wanted");
    if fs::read_to_string(&file).unwrap_or_default() != environment {
        stop(stack);
        write_whole(&file, &environment)?;
    }
    for part in ["emulator", "services", NAME] {
        if let Some(process) = process::recorded(checkout, part).filter(Identity::is_outdated) {
            // It is not asked to end, for a supervisor that is asked takes everything down with it.
            process.stop(Signal::KILL, Duration::from_secs(5));
        }
    }
    // An edit that `cargo lambda watch` did not notice: everything that it runs is started again from the new build.
    if instances::any_outdated(stack) {
        stop_part(stack, "functions");
    }
    if process::recorded(checkout, NAME).is_none() {
        let program = std::env::current_exe().attempt(|| "This program cannot find itself".into())?;
        // A build that was replaced while it runs is listed with this mark; its place is taken by the new one.
        let program = program.to_string_lossy().trim_end_matches(" (deleted)").to_owned();
        let mut command = process::detached(program);
        process::launch(checkout, NAME, command.arg("supervise").current_dir(checkout.root()))?;
    }
    Ok(())
}

/// What the parts were started with: when it changes they have to start again.
fn environment(stack: &Stack) -> String {
    format!("{:x}", Sha256::digest(stack.environment()))
}

/// Ends the supervisor and all that it keeps running.
pub(crate) fn stop(stack: &Stack) {
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

/// Ends one part.
pub(crate) fn stop_part(stack: &Stack, part: &str) {
    if let Some(process) = process::recorded(&stack.checkout, part) {
        process.stop(Signal::TERM, Duration::from_secs(5));
    }
    process::forget(&stack.checkout, part);
    if part == "functions" {
        instances::sweep(stack);
    }
}

/// What there is to say of the parts, when they are meant to be up.
pub(crate) fn status(stack: &Stack) -> Vec<Line> {
    let checkout = &stack.checkout;
    if !wanted(checkout) {
        return Vec::new();
    }
    let line = |name: &str, port: Option<u16>, answer: Option<Result<String, String>>| {
        let process = process::recorded(checkout, name);
        let answer = match &process {
            None if is_held(checkout, name) => Err(format!("stopped by `cargo dev stop {name}`")),
            None => Err("not running".to_owned()),
            Some(_) => answer.unwrap_or_else(|| Ok("running".to_owned())),
        };
        let up = answer.is_ok();
        let says = answer.unwrap_or_else(|why| why);
        let pid = process.map(|process| process.pid);
        Line { name: name.to_owned(), up, state: if up { "up" } else { "down" }, pid, port, says }
    };
    let answer = probe::get(&stack.api_url()).map(|_| "cargo lambda watch answers".to_owned());
    let mut lines = vec![
        line(NAME, None, None),
        line("emulator", None, None),
        line("functions", Some(stack.ports.api()), Some(answer)),
    ];
    lines.extend(instances::status(stack));
    let services = line("services", None, None);
    let stand_ins = services::status(stack, services.up);
    lines.push(services);
    lines.extend(stand_ins);
    lines
}

/// The supervisor itself: `cargo dev supervise`.
pub(crate) fn run(checkout: Checkout) -> Result<ExitCode> {
    let stack = Stack::load(checkout)?;
    let _only_one = Lock::wait(&stack.checkout.local("run/supervisor.lock"), "another supervisor is at work")?;
    let end = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&end)).attempt(|| "Signals cannot be listened for".into())?;
    }
    let mut parts = PARTS.map(|name| Part { name, child: None, started: None, pause: Duration::ZERO });
    let mut instances = Instances::load(&stack);
    while !end.load(Ordering::Relaxed) && stack.checkout.local("run").exists() {
        for part in &mut parts {
            part.look_after(&stack);
        }
        instances.look_after(&stack, process::recorded(&stack.checkout, "functions").as_ref());
        thread::sleep(ROUND);
    }
    for part in PARTS {
        stop_part(&stack, part);
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells the supervisor's log.
fn note(text: &str) {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    println!("{:02}:{:02}:{:02}Z {text}", now / 3600 % 24, now / 60 % 60, now % 60);
}

/// Something that is started again whenever it ends, the more slowly the sooner it ends.
struct Part {
    name: &'static str,
    child: Option<Child>,
    started: Option<Instant>,
    pause: Duration,
}

impl Part {
    fn look_after(&mut self, stack: &Stack) {
        if let Some(child) = &mut self.child
            && let Ok(Some(status)) = child.try_wait()
        {
            note(&format!("{} ended: {status}", self.name));
            self.child = None;
        }
        let alive = process::recorded(&stack.checkout, self.name).is_some();
        if is_held(&stack.checkout, self.name) {
            if alive {
                stop_part(stack, self.name);
            }
            self.started = None;
            return;
        }
        let waited = self.started.is_none_or(|started| started.elapsed() >= self.pause);
        if alive || !waited {
            return;
        }
        let short_lived = self.started.is_some_and(|started| started.elapsed() < self.pause + SHORT_LIFE);
        self.pause = if short_lived { (self.pause * 2).clamp(ROUND, LONGEST_PAUSE) } else { Duration::ZERO };
        self.started = Some(Instant::now());
        match self.start(stack) {
            Ok((process, child)) => {
                note(&format!("{} started: process {}", self.name, process.pid));
                self.child = Some(child);
            }
            Err(failure) => note(&failure.to_string()),
        }
    }

    fn start(&self, stack: &Stack) -> Result<(Identity, Child)> {
        let mut command = match self.name {
            "functions" => {
                // Functions of a `cargo lambda watch` that was killed would take requests from the new one.
                instances::sweep(stack);
                functions::watch(stack)?
            }
            "services" => functions::services(stack)?,
            _ => functions::emulator(stack)?,
        };
        process::launch(&stack.checkout, self.name, &mut command)
    }
}
