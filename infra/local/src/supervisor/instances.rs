//! The functions' processes, and others in the place of those that crashed.
//!
//! `cargo lambda watch` starts a process of a function when a request finds none free, and again after an edit, but
//! never because one ended: requests then wait for ever. Its runtime API, however, serves whoever asks. So what ended is
//! started here, straight from the build, until `cargo lambda watch` has a process of its own again. Workers, which AWS
//! invokes several times at once, get their further processes in the same way.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::{
    checkout::write_whole,
    commands::status::Line,
    failure::{Attempt, Result},
    functions,
    process::{self, Identity},
    stack::Stack,
};

use super::note;

/// Marks a process that was started here, even for a supervisor that comes after this one.
const MARK: &str = "LANDLORD_SUBSTITUTE";
/// Functions that have more than one process, once they have one, each for one invocation at a time.
const SEVERAL: [(&str, usize); 3] = [("measure-usage", 2), ("provision-tenant", 4), ("relay-events", 2)];
/// A restart after an edit leaves a gap of less than this between two processes.
const GAP: Duration = Duration::from_secs(1);
const SHORT_LIFE: Duration = Duration::from_secs(3);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A process that serves a function.
struct Instance {
    function: String,
    process: Identity,
    parent: i32,
    substitute: bool,
}

/// All processes that get their requests from our `cargo lambda watch`.
fn all(stack: &Stack) -> Vec<Instance> {
    let api = format!("AWS_LAMBDA_RUNTIME_API={}/.rt/", stack.api_url());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
            let mut variables = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy);
            let function = variables.clone().find_map(|line| line.strip_prefix(&api).map(ToOwned::to_owned))?;
            let substitute = variables.any(|line| line.starts_with(MARK));
            Some(Instance { function, process: Identity::of(pid)?, parent: process::parent(pid)?, substitute })
        })
        .collect()
}

/// Ends every one of them.
pub(super) fn sweep(stack: &Stack) {
    let instances = all(stack);
    for instance in &instances {
        instance.process.signal(Signal::TERM);
    }
    for instance in &instances {
        instance.process.stop(Signal::TERM, Duration::from_secs(2));
    }
}

/// Whether a process runs that is older than what is built now.
pub(super) fn any_outdated(stack: &Stack) -> bool {
    all(stack).iter().any(|instance| instance.process.is_outdated())
}

/// A line for each function.
pub(super) fn status(stack: &Stack) -> Vec<Line> {
    let instances = all(stack);
    let line = |function: String| {
        let serving: Vec<_> = instances.iter().filter(|instance| instance.function == function).collect();
        let says = match serving.as_slice() {
            [] => "starts at its first request".to_owned(),
            [one] if one.substitute => "started again after it ended".to_owned(),
            [_] => String::new(),
            several => format!("{} processes", several.len()),
        };
        let pid = serving.first().map(|instance| instance.process.pid);
        Line {
            name: format!("  {function}"),
            up: true,
            state: if pid.is_some() { "up" } else { "ready" },
            pid,
            port: None,
            says,
        }
    };
    functions::all(&stack.checkout).unwrap_or_default().into_iter().map(line).collect()
}

/// What is remembered of the functions of one `cargo lambda watch`.
#[derive(Deserialize, Serialize)]
struct Memory {
    watch: Identity,
    /// The most processes that it had of each function.
    most: BTreeMap<String, usize>,
}

/// Looks after the functions' processes.
pub(super) struct Instances {
    memory: Option<Memory>,
    missed: BTreeMap<String, Missed>,
    children: Vec<std::process::Child>,
}

/// A function of which a process has ended.
#[derive(Default)]
struct Missed {
    since: Option<Instant>,
    started: Option<Instant>,
    pause: Duration,
}

impl Instances {
    /// With what an earlier supervisor knew.
    pub(super) fn load(stack: &Stack) -> Self {
        let memory = fs::read_to_string(stack.checkout.local("run/instances.json")).ok();
        let memory = memory.and_then(|text| serde_json::from_str(&text).ok());
        Self { memory, missed: BTreeMap::new(), children: Vec::new() }
    }

    /// Starts what ended, and ends what is no longer needed.
    pub(super) fn look_after(&mut self, stack: &Stack, watch: Option<&Identity>) {
        self.children.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
        let Some(watch) = watch else { return };
        let instances = all(stack);
        let most = self.remember(stack, watch, &instances);
        for (function, most) in most {
            let several = SEVERAL.into_iter().find(|(name, _)| *name == function).map_or(1, |(_, count)| count);
            let most = most.max(several);
            let of_it = || instances.iter().filter(|instance| instance.function == function);
            let own = of_it().filter(|instance| instance.parent == watch.pid).count();
            let (outdated, current): (Vec<_>, Vec<_>) =
                of_it().filter(|instance| instance.substitute).partition(|instance| instance.process.is_outdated());
            let surplus = (own + current.len()).saturating_sub(most);
            for instance in outdated.into_iter().chain(current.iter().copied().take(surplus)) {
                note(&format!("{function}: process {} is no longer needed", instance.process.pid));
                instance.process.signal(Signal::TERM);
            }
            let enough = own + current.len() >= most;
            if self.missed.entry(function.clone()).or_default().is_due(enough) {
                match start(stack, &function) {
                    Ok(child) => {
                        note(&format!("{function} has another process: {}", child.id()));
                        self.children.push(child);
                    }
                    Err(failure) => note(&failure.to_string()),
                }
            }
        }
    }

    /// Updates and gives back how many processes of each function there have been.
    fn remember(&mut self, stack: &Stack, watch: &Identity, instances: &[Instance]) -> BTreeMap<String, usize> {
        let mut most = match &self.memory {
            Some(memory) if memory.watch == *watch => memory.most.clone(),
            _ => BTreeMap::new(),
        };
        let mut now = BTreeMap::<_, usize>::new();
        for instance in instances.iter().filter(|instance| instance.parent == watch.pid) {
            *now.entry(instance.function.clone()).or_default() += 1;
        }
        for (function, count) in now {
            let most = most.entry(function).or_default();
            *most = count.max(*most);
        }
        if self.memory.as_ref().is_none_or(|memory| memory.watch != *watch || memory.most != most) {
            let memory = Memory { watch: watch.clone(), most: most.clone() };
            let text = serde_json::to_string(&memory).unwrap_or_default();
            if let Err(failure) = write_whole(&stack.checkout.local("run/instances.json"), &text) {
                note(&failure.to_string());
            }
            self.memory = Some(memory);
        }
        most
    }
}

impl Missed {
    /// Whether one more has to be started now.
    fn is_due(&mut self, enough: bool) -> bool {
        if enough {
            self.since = None;
            return false;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        let lived = self.started.map(|started| since.saturating_duration_since(started));
        if since.elapsed() < GAP + self.pause {
            return false;
        }
        // One that ends as soon as it has started would otherwise be started all day.
        let short_lived = lived.is_some_and(|lived| lived < SHORT_LIFE);
        self.pause = if short_lived { (self.pause * 2).clamp(GAP, LONGEST_PAUSE) } else { Duration::ZERO };
        self.started = Some(Instant::now());
        self.since = None;
        true
    }
}

fn start(stack: &Stack, function: &str) -> Result<std::process::Child> {
    let program = functions::target(&stack.checkout)?.join("debug").join(function);
    let mut command = process::detached(program);
    functions::equip(&mut command, stack);
    command.env("AWS_LAMBDA_RUNTIME_API", format!("{}/.rt/{function}", stack.api_url())).env(MARK, "yes");
    command.env("AWS_LAMBDA_FUNCTION_NAME", function).env("AWS_LAMBDA_FUNCTION_VERSION", "1");
    command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "4096").current_dir(stack.checkout.root());
    let log =
        process::open_log(&stack.checkout.log("functions")).attempt(|| format!("{function} cannot be started"))?;
    let errors = log.try_clone().attempt(|| format!("{function} cannot be started"))?;
    command.stdin(std::process::Stdio::null()).stdout(log).stderr(errors);
    command.spawn().attempt(|| format!("{function} cannot be started"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_of_a_restart_is_waited_out() {
        let mut missed = Missed::default();
        assert!(!missed.is_due(false));
        missed.since = Instant::now().checked_sub(GAP * 2);
        assert!(missed.is_due(false));
        assert!(!missed.is_due(false), "only one for each that ended");
        assert!(!missed.is_due(true));
    }

    #[test]
    fn what_ends_at_once_is_started_more_and_more_slowly() {
        let mut missed = Missed::default();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            missed.started = Instant::now().checked_sub(Duration::from_secs(100));
            missed.since = missed.started;
            assert!(missed.is_due(false));
            pauses.push(missed.pause);
        }
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1] || pair[1] == LONGEST_PAUSE));
        assert_eq!(pauses.last(), Some(&LONGEST_PAUSE));
    }
}
