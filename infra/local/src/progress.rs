//! What is going on, for whoever waits: a line that moves on a terminal, plain lines with the time elsewhere.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

/// Elsewhere than on a terminal, what takes longer than this is announced …
const WORTH_A_LINE: Duration = Duration::from_secs(2);
/// … and again each time that this much has passed.
const STILL_AT_IT: Duration = Duration::from_secs(30);

/// All that is going on.
#[derive(Debug)]
pub(crate) struct Progress {
    begun: Instant,
    terminal: bool,
    steps: Mutex<Vec<Running>>,
}

#[derive(Debug)]
struct Running {
    id: usize,
    name: String,
    doing: String,
    begun: Instant,
    announced: Option<Instant>,
}

/// One thing that is going on. It is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Step {
    progress: Arc<Progress>,
    id: usize,
    begun: Instant,
}

impl Progress {
    /// Starts the clock.
    pub(crate) fn start() -> Arc<Self> {
        let progress =
            Arc::new(Self { begun: Instant::now(), terminal: io::stderr().is_terminal(), steps: Mutex::default() });
        let watched = Arc::downgrade(&progress);
        thread::spawn(move || tick(&watched));
        progress
    }

    /// Begins a step.
    pub(crate) fn step(self: &Arc<Self>, name: &str, doing: &str) -> Step {
        let mut steps = self.steps();
        let id = steps.iter().map(|step| step.id + 1).max().unwrap_or_default();
        let begun = Instant::now();
        steps.push(Running { id, name: name.into(), doing: doing.into(), begun, announced: None });
        drop(steps);
        Step { progress: Arc::clone(self), id, begun }
    }

    /// Says something that stays.
    pub(crate) fn say(&self, line: &str) {
        let steps = self.steps();
        self.print(line);
        drop(steps);
    }

    fn print(&self, line: &str) {
        let clear = if self.terminal { "\r\x1b[2K" } else { "" };
        let _ = writeln!(io::stderr(), "{clear}[{:>6.1} s] {line}", self.begun.elapsed().as_secs_f32());
    }

    fn steps(&self) -> MutexGuard<'_, Vec<Running>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, turn: usize) {
        let mut steps = self.steps();
        if self.terminal {
            let wheel = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
            let all: Vec<_> = steps.iter().map(|step| format!("{}: {}", step.name, step.doing)).collect();
            if !all.is_empty() {
                let line =
                    format!("{} {:.0} s  {}", wheel[turn % 10], self.begun.elapsed().as_secs_f32(), all.join("; "));
                let _ = write!(io::stderr(), "\r\x1b[2K{}", line.chars().take(width()).collect::<String>());
            }
            return;
        }
        for step in steps.iter_mut() {
            let due = match step.announced {
                None => step.begun.elapsed() > WORTH_A_LINE,
                Some(last) => last.elapsed() > STILL_AT_IT,
            };
            if due {
                let so_far = match step.announced {
                    None => String::new(),
                    Some(_) => format!(" (for {} s)", step.begun.elapsed().as_secs()),
                };
                step.announced = Some(Instant::now());
                self.print(&format!("{}: {}{so_far}", step.name, step.doing));
            }
        }
    }
}

impl Step {
    /// Says what the step is at now.
    pub(crate) fn doing(&self, what: &str) {
        if let Some(step) = self.progress.steps().iter_mut().find(|step| step.id == self.id)
            && step.doing != what
        {
            what.clone_into(&mut step.doing);
            step.announced = None;
        }
    }

    /// Says more closely what it is at, which is worth no line of its own.
    pub(crate) fn describe(&self, what: &str) {
        if let Some(step) = self.progress.steps().iter_mut().find(|step| step.id == self.id) {
            what.clone_into(&mut step.doing);
        }
    }

    /// Ends the step with a line that stays.
    pub(crate) fn done(self, line: &str) {
        self.progress.say(&format!("{line} ({:.1} s)", self.begun.elapsed().as_secs_f32()));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let mut steps = self.progress.steps();
        steps.retain(|step| step.id != self.id);
        if self.progress.terminal && steps.is_empty() {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}

fn tick(watched: &Weak<Progress>) {
    for turn in 0.. {
        let Some(progress) = watched.upgrade() else { return };
        progress.show(turn);
        drop(progress);
        thread::sleep(Duration::from_millis(120));
    }
}

/// A line that is longer than the terminal would scroll it.
fn width() -> usize {
    match rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col)) {
        0 => 79, // a terminal that does not know
        columns => columns.saturating_sub(1),
    }
}
