//! Progress of a command on standard error: one moving line on a terminal, plain lines with the time elsewhere.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use crate::procfs;

/// Outside a terminal, a step is announced when it takes longer than this …
const FIRST_ANNOUNCEMENT: Duration = Duration::from_secs(2);
/// … and again at this interval.
const ANNOUNCEMENT_INTERVAL: Duration = Duration::from_secs(30);

/// All steps of a command that are running.
#[derive(Debug)]
pub(crate) struct Progress {
    command_started: Instant,
    terminal: bool,
    steps: Mutex<Vec<RunningStep>>,
}

#[derive(Debug)]
struct RunningStep {
    id: usize,
    name: String,
    activity: String,
    started: Instant,
    announced: Option<Instant>,
}

/// One running step. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct ProgressStep {
    progress: Arc<Progress>,
    id: usize,
    started: Instant,
}

impl Progress {
    pub(crate) fn start() -> Arc<Self> {
        let now = Instant::now();
        let command_started = procfs::own_age().and_then(|age| now.checked_sub(age)).unwrap_or(now);
        let progress =
            Arc::new(Self { command_started, terminal: io::stderr().is_terminal(), steps: Mutex::default() });
        let watched = Arc::downgrade(&progress);
        thread::spawn(move || refresh(&watched));
        progress
    }

    /// The time since the developer entered the command.
    pub(crate) fn elapsed(&self) -> Duration {
        self.command_started.elapsed()
    }

    pub(crate) fn step(self: &Arc<Self>, name: &str, activity: &str) -> ProgressStep {
        let mut steps = self.steps();
        let id = steps.iter().map(|step| step.id + 1).max().unwrap_or_default();
        let started = Instant::now();
        steps.push(RunningStep { id, name: name.into(), activity: activity.into(), started, announced: None });
        drop(steps);
        ProgressStep { progress: Arc::clone(self), id, started }
    }

    /// Prints a line that stays.
    pub(crate) fn print(&self, line: &str) {
        let steps = self.steps();
        self.write(line);
        drop(steps);
    }

    fn write(&self, line: &str) {
        let clear = if self.terminal { "\r\x1b[2K" } else { "" };
        let _ = writeln!(io::stderr(), "{clear}[{:>6.1} s] {line}", self.elapsed().as_secs_f32());
    }

    fn steps(&self) -> MutexGuard<'_, Vec<RunningStep>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, frame: usize) {
        let mut steps = self.steps();
        if self.terminal {
            self.show_line(&steps, frame);
            return;
        }
        for step in steps.iter_mut() {
            let (due, duration) = match step.announced {
                None => (step.started.elapsed() > FIRST_ANNOUNCEMENT, String::new()),
                Some(last) => {
                    (last.elapsed() > ANNOUNCEMENT_INTERVAL, format!(" (for {} s)", step.started.elapsed().as_secs()))
                }
            };
            if due {
                step.announced = Some(Instant::now());
                self.write(&format!("{}: {}{duration}", step.name, step.activity));
            }
        }
    }

    fn show_line(&self, steps: &[RunningStep], frame: usize) {
        let spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
        let all: Vec<_> = steps.iter().map(|step| format!("{}: {}", step.name, step.activity)).collect();
        if !all.is_empty() {
            let line = format!("{} {:.0} s  {}", spinner[frame % 10], self.elapsed().as_secs_f32(), all.join("; "));
            let _ = write!(io::stderr(), "\r\x1b[2K{}", line.chars().take(width()).collect::<String>());
        }
    }
}

impl ProgressStep {
    /// Begins a new activity, which is announced again outside a terminal.
    pub(crate) fn begin(&self, activity: &str) {
        self.update(activity, true);
    }

    /// Adds detail to the current activity, without an announcement of its own.
    pub(crate) fn describe(&self, activity: &str) {
        self.update(activity, false);
    }

    fn update(&self, activity: &str, announce: bool) {
        if let Some(step) = self.progress.steps().iter_mut().find(|step| step.id == self.id)
            && step.activity != activity
        {
            activity.clone_into(&mut step.activity);
            if announce {
                step.announced = None;
            }
        }
    }

    /// Ends the step with a line that stays.
    pub(crate) fn done(self, line: &str) {
        self.progress.print(&format!("{line} ({:.1} s)", self.started.elapsed().as_secs_f32()));
    }
}

impl Drop for ProgressStep {
    fn drop(&mut self) {
        let mut steps = self.progress.steps();
        steps.retain(|step| step.id != self.id);
        if self.progress.terminal && steps.is_empty() {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}

fn refresh(watched: &Weak<Progress>) {
    for frame in 0.. {
        let Some(progress) = watched.upgrade() else { return };
        progress.show(frame);
        drop(progress);
        thread::sleep(Duration::from_millis(120));
    }
}

/// The terminal's width. A longer line would wrap, and could not be overwritten.
fn width() -> usize {
    match rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col)) {
        0 => 79, // the terminal does not report its width
        columns => columns.saturating_sub(1),
    }
}
