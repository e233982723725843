//! The functions' processes, and replacements for those that crashed.
//!
//! `cargo lambda watch` starts a process of a function when no free one exists for a request, and again after an edit. It does
//! not restart a process that ended: requests then wait for ever. Its runtime API, however, serves any process that connects.
//! So the supervisor starts a replacement from the same build, until `cargo lambda watch` has a process of its own again.
//! Further processes of workers, which AWS invokes concurrently, are started in the same way.

use std::{
    collections::BTreeMap,
    fs,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::{
    cargo,
    checkout::write_file,
    error::{ErrorContext, Result},
    functions,
    process::{self, ProcessIdentity},
    procfs::ProcessStat,
    stack::LocalStack,
    status_line::StatusLine,
};

use super::log::log;

/// A variable that marks a replacement, also for a later supervisor.
const REPLACEMENT: &str = "LANDLORD_REPLACEMENT";
/// Functions with several processes, each of which handles one invocation at a time.
const CONCURRENCY: [(&str, usize); 4] =
    [("check-health", 2), ("measure-usage", 2), ("provision-tenant", 4), ("relay-events", 2)];
/// When `cargo lambda watch` restarts a function after an edit, it has no process for less than this.
const RESTART_GAP: Duration = Duration::from_secs(1);
/// A process that ends sooner than this after its start is replaced after a growing pause.
const MIN_LIFETIME: Duration = Duration::from_secs(3);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// A process that serves a function.
struct FunctionProcess {
    function: String,
    identity: ProcessIdentity,
    parent: i32,
    replacement: bool,
}

/// All processes that connect to this stack's `cargo lambda watch`.
fn find_all(stack: &LocalStack) -> Vec<FunctionProcess> {
    let api = format!("AWS_LAMBDA_RUNTIME_API={}/.rt/", stack.api_url());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
            let mut variables = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy);
            let function = variables.clone().find_map(|line| line.strip_prefix(&api).map(ToOwned::to_owned))?;
            let replacement = variables.any(|line| line.starts_with(REPLACEMENT));
            let parent = ProcessStat::read(pid)?.parent;
            Some(FunctionProcess { function, identity: ProcessIdentity::of(pid)?, parent, replacement })
        })
        .collect()
}

pub(super) fn stop_all(stack: &LocalStack) {
    let processes = find_all(stack);
    for process in &processes {
        process.identity.signal(Signal::TERM);
    }
    for process in &processes {
        process.identity.stop(Signal::TERM, Duration::from_secs(2));
    }
}

/// Whether a process runs an older build than the newest.
pub(super) fn any_outdated(stack: &LocalStack) -> bool {
    find_all(stack).iter().any(|process| process.identity.is_outdated())
}

/// One line for each function.
pub(super) fn status(stack: &LocalStack) -> Vec<StatusLine> {
    let processes = find_all(stack);
    let line = |function: String| {
        let serving: Vec<_> = processes.iter().filter(|process| process.function == function).collect();
        let details = match serving.as_slice() {
            [] => "starts at its first request".to_owned(),
            [one] if one.replacement => "restarted after it ended".to_owned(),
            [_] => String::new(),
            several => format!("{} processes", several.len()),
        };
        let pid = serving.first().map(|process| process.identity.pid);
        let state = if pid.is_some() { "up" } else { "ready" };
        StatusLine { name: format!("  {function}"), up: true, state, pid, port: None, details }
    };
    functions::names(&stack.checkout).unwrap_or_default().into_iter().map(line).collect()
}

/// How many processes each function has had under one `cargo lambda watch`.
#[derive(Deserialize, Serialize)]
struct ProcessCounts {
    watch: ProcessIdentity,
    /// The greatest number of processes of each function at one time.
    greatest: BTreeMap<String, usize>,
}

/// Keeps the functions' processes running.
pub(super) struct FunctionProcesses {
    counts: Option<ProcessCounts>,
    replacements: BTreeMap<String, Replacement>,
    children: Vec<Child>,
}

/// When a missing process of a function is replaced.
#[derive(Default)]
struct Replacement {
    missing_since: Option<Instant>,
    last_started: Option<Instant>,
    pause: Duration,
}

impl FunctionProcesses {
    /// Continues with the counts of an earlier supervisor.
    pub(super) fn load(stack: &LocalStack) -> Self {
        let counts = fs::read_to_string(stack.checkout.local("run/function-processes.json")).ok();
        let counts = counts.and_then(|text| serde_json::from_str(&text).ok());
        Self { counts, replacements: BTreeMap::new(), children: Vec::new() }
    }

    /// Replaces processes that ended, and stops replacements that are no longer needed.
    pub(super) fn check(&mut self, stack: &LocalStack, watch: Option<&ProcessIdentity>) {
        self.children.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
        let Some(watch) = watch else { return };
        let processes = find_all(stack);
        for (function, greatest) in self.update_counts(stack, watch, &processes) {
            let concurrency = CONCURRENCY.into_iter().find(|(name, _)| *name == function).map_or(1, |(_, count)| count);
            let wanted = greatest.max(concurrency);
            let own = || processes.iter().filter(|process| process.function == function);
            let watched = own().filter(|process| process.parent == watch.pid).count();
            let (outdated, current): (Vec<_>, Vec<_>) =
                own().filter(|process| process.replacement).partition(|process| process.identity.is_outdated());
            let surplus = (watched + current.len()).saturating_sub(wanted);
            for process in outdated.into_iter().chain(current.iter().copied().take(surplus)) {
                log(&format!("{function}: stopping process {}, which is no longer needed", process.identity.pid));
                process.identity.signal(Signal::TERM);
            }
            let complete = watched + current.len() >= wanted;
            if self.replacements.entry(function.clone()).or_default().is_due(complete) {
                match start(stack, &function) {
                    Ok(child) => {
                        log(&format!("{function}: started process {}", child.id()));
                        self.children.push(child);
                    }
                    Err(error) => log(&error.to_string()),
                }
            }
        }
    }

    /// Updates and returns the greatest number of processes of each function.
    fn update_counts(
        &mut self,
        stack: &LocalStack,
        watch: &ProcessIdentity,
        processes: &[FunctionProcess],
    ) -> BTreeMap<String, usize> {
        let mut greatest = match &self.counts {
            Some(counts) if counts.watch == *watch => counts.greatest.clone(),
            _ => BTreeMap::new(),
        };
        let mut current = BTreeMap::<_, usize>::new();
        for process in processes.iter().filter(|process| process.parent == watch.pid) {
            *current.entry(process.function.clone()).or_default() += 1;
        }
        for (function, count) in current {
            let greatest = greatest.entry(function).or_default();
            *greatest = count.max(*greatest);
        }
        if self.counts.as_ref().is_none_or(|counts| counts.watch != *watch || counts.greatest != greatest) {
            let counts = ProcessCounts { watch: watch.clone(), greatest: greatest.clone() };
            let text = serde_json::to_string(&counts).unwrap_or_default();
            if let Err(error) = write_file(&stack.checkout.local("run/function-processes.json"), &text) {
                log(&error.to_string());
            }
            self.counts = Some(counts);
        }
        greatest
    }
}

impl Replacement {
    /// Whether to start a process now. `complete` is whether none is missing.
    fn is_due(&mut self, complete: bool) -> bool {
        if complete {
            self.missing_since = None;
            return false;
        }
        let missing_since = *self.missing_since.get_or_insert_with(Instant::now);
        let lifetime = self.last_started.map(|started| missing_since.saturating_duration_since(started));
        if missing_since.elapsed() < RESTART_GAP + self.pause {
            return false;
        }
        let short_lived = lifetime.is_some_and(|lifetime| lifetime < MIN_LIFETIME);
        self.pause = if short_lived { (self.pause * 2).clamp(RESTART_GAP, MAX_PAUSE) } else { Duration::ZERO };
        self.last_started = Some(Instant::now());
        self.missing_since = None;
        true
    }
}

fn start(stack: &LocalStack, function: &str) -> Result<Child> {
    let action = || format!("{function} cannot be started");
    let mut command = process::detached(cargo::binary(&stack.checkout, function)?);
    functions::set_environment(&mut command, stack);
    command.env("AWS_LAMBDA_RUNTIME_API", format!("{}/.rt/{function}", stack.api_url())).env(REPLACEMENT, "yes");
    command.env("AWS_LAMBDA_FUNCTION_NAME", function).env("AWS_LAMBDA_FUNCTION_VERSION", "1");
    command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "4096").current_dir(stack.checkout.root());
    let output = process::open_log(&stack.checkout.log("functions")).context(action)?;
    let errors = output.try_clone().context(action)?;
    command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn().context(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_process_is_replaced_only_after_the_gap_of_a_restart() {
        let mut replacement = Replacement::default();
        assert!(!replacement.is_due(false));
        replacement.missing_since = Instant::now().checked_sub(RESTART_GAP * 2);
        assert!(replacement.is_due(false));
        assert!(!replacement.is_due(false), "one replacement for each process that ended");
        assert!(!replacement.is_due(true));
    }

    #[test]
    fn a_process_that_ends_at_once_is_replaced_after_a_growing_pause() {
        let mut replacement = Replacement::default();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            replacement.last_started = Instant::now().checked_sub(Duration::from_secs(100));
            replacement.missing_since = replacement.last_started;
            assert!(replacement.is_due(false));
            pauses.push(replacement.pause);
        }
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1] || pair[1] == MAX_PAUSE));
        assert_eq!(pauses.last(), Some(&MAX_PAUSE));
    }
}
