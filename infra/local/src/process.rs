//! Processes that outlive this one: started, recognised again and stopped.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::{
    checkout::{Checkout, write_whole},
    failure::{Attempt, Failure, Result},
};

/// A log longer than this is put aside when its process starts again.
const LONGEST_LOG: u64 = 16 << 20;

/// A process, told apart from any later one that is given the same number.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Identity {
    /// The process's number.
    pub(crate) pid: i32,
    /// Clock ticks from boot to its start.
    started: u64,
    /// Which boot of the machine.
    boot: String,
}

impl Identity {
    /// The process that has this number now, unless it is dead and merely not buried.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let (state, started) = parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
        (!matches!(state, 'Z' | 'X')).then_some(Self { pid, started, boot })
    }

    /// Whether it still runs (or is stopped by a signal, which only time can tell from running).
    pub(crate) fn alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// Whether the file that it runs has been replaced since, by a newer build.
    pub(crate) fn is_outdated(&self) -> bool {
        let program = fs::read_link(format!("/proc/{}/exe", self.pid));
        program.is_ok_and(|program| program.to_string_lossy().ends_with(" (deleted)"))
    }

    /// Sends a signal, if it is still that process.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.alive()
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            let _ = kill_process(pid, signal);
        }
    }

    /// Asks it to end, and after `patience` makes it end.
    pub(crate) fn stop(&self, signal: Signal, patience: Duration) {
        self.signal(signal);
        // One that was stopped by SIGSTOP can only act on a request once it goes on.
        self.signal(Signal::CONT);
        if !self.gone_within(patience) {
            self.signal(Signal::KILL);
            self.gone_within(Duration::from_secs(5));
        }
    }

    fn gone_within(&self, patience: Duration) -> bool {
        let begun = Instant::now();
        while self.alive() {
            if begun.elapsed() > patience {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

/// State and start time out of `/proc/PID/stat`, whose second field may hold spaces and parentheses.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// The process that started this one, or that adopted it.
pub(crate) fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// The recorded process of that name, if it is alive.
pub(crate) fn recorded(checkout: &Checkout, name: &str) -> Option<Identity> {
    let text = fs::read_to_string(checkout.local(&format!("run/{name}.json"))).ok()?;
    serde_json::from_str::<Identity>(&text).ok().filter(Identity::alive)
}

/// Remembers a process under a name.
pub(crate) fn record(checkout: &Checkout, name: &str, identity: &Identity) -> Result<()> {
    let text = serde_json::to_string(identity).attempt(|| format!("{name} cannot be recorded"))?;
    write_whole(&checkout.local(&format!("run/{name}.json")), &text)
}

/// Forgets a process.
pub(crate) fn forget(checkout: &Checkout, name: &str) {
    let _ = fs::remove_file(checkout.local(&format!("run/{name}.json")));
}

/// Starts a program in a session of its own, its output in the log of that name, and records it.
pub(crate) fn launch(
    checkout: &Checkout,
    name: &str,
    command: &mut Command,
) -> Result<(Identity, std::process::Child)> {
    let what = || format!("{name} cannot be started");
    let log = open_log(&checkout.log(name)).attempt(what)?;
    let errors = log.try_clone().attempt(what)?;
    let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().attempt(what)?;
    let pid = i32::try_from(child.id()).attempt(what)?;
    let identity = Identity::of(pid).ok_or_else(|| Failure::new(what(), "it ended at once"))?;
    record(checkout, name, &identity)?;
    Ok((identity, child))
}

/// A command that leaves the terminal's session, so that neither Ctrl-C nor a closed terminal reaches it.
pub(crate) fn detached(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setsid");
    command.arg(program);
    command
}

/// Opens a log to add to it; one that has become long is put aside first.
pub(crate) fn open_log(path: &Path) -> std::io::Result<File> {
    if fs::metadata(path).is_ok_and(|log| log.len() > LONGEST_LOG) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

/// How long a log is now: where what comes next begins.
pub(crate) fn log_length(checkout: &Checkout, name: &str) -> u64 {
    fs::metadata(checkout.log(name)).map_or(0, |log| log.len())
}

/// The last lines of a log that say something, from `offset` on, for an error message.
pub(crate) fn last_words(checkout: &Checkout, name: &str, offset: u64) -> String {
    let mut text = Vec::new();
    if let Ok(mut log) = File::open(checkout.log(name)) {
        let _ = log.seek(SeekFrom::Start(offset)).and_then(|_| log.read_to_end(&mut text));
    }
    tail(&String::from_utf8_lossy(&text))
}

/// The last three lines of what a tool said.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join("\n")
}

/// Runs a tool to its end; what it said, or why it failed.
pub(crate) fn run(command: &mut Command, what: &str) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        Failure::new(what, format!("{} could not be run: {error}", command.get_program().to_string_lossy()))
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).join("\n");
    let program = command.get_program().to_string_lossy().into_owned();
    Err(Failure::new(what, format!("{program} ended with {}: {}", output.status, tail(&said))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_behind_a_name_with_parentheses() {
        let line = "42 (a) (b) S 1 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 777 1000 1";
        assert_eq!(parse_stat(line), Some(('S', 777)));
        assert_eq!(parse_stat("42 (cut off"), None);
    }

    #[test]
    fn a_recycled_number_is_not_taken_for_the_process_that_had_it() {
        let me = Identity::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(me.alive());
        assert!(!Identity { started: me.started + 1, ..me.clone() }.alive());
        assert!(!Identity { boot: "another".into(), ..me }.alive());
    }

    #[test]
    fn a_process_that_ended_but_was_not_waited_for_is_dead() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let identity = Identity::of(i32::try_from(child.id()).unwrap()).unwrap();
        identity.signal(Signal::KILL);
        assert!(identity.gone_within(Duration::from_secs(5)));
        child.wait().unwrap();
    }

    #[test]
    fn a_stopped_process_can_be_ended() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let identity = Identity::of(i32::try_from(child.id()).unwrap()).unwrap();
        identity.signal(Signal::STOP);
        identity.stop(Signal::TERM, Duration::from_secs(5));
        assert!(!identity.alive());
        child.wait().unwrap();
    }
}
