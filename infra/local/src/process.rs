//! Processes that outlive this one: starting, recognising and stopping them, and their logs.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::{
    checkout::{Checkout, write_file},
    error::{DevError, ErrorContext, Result},
    procfs::{self, ProcessStat},
};

/// A log longer than this is renamed when its process starts again.
const MAX_LOG_BYTES: u64 = 16 << 20;

/// Identifies a process. The kernel reuses process numbers, so the number alone is not enough.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct ProcessIdentity {
    pub(crate) pid: i32,
    /// Clock ticks from the machine's boot to the start of the process.
    started: u64,
    boot: String,
}

impl ProcessIdentity {
    /// The process that has this number now. `None` for one that ended and was not waited for.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = ProcessStat::read(pid)?;
        (!matches!(stat.state, 'Z' | 'X')).then(|| Self { pid, started: stat.started, boot: procfs::boot_id() })
    }

    /// Whether the process runs, or is suspended by a signal.
    pub(crate) fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// Whether a newer build has replaced the program's file.
    pub(crate) fn is_outdated(&self) -> bool {
        let program = fs::read_link(format!("/proc/{}/exe", self.pid));
        program.is_ok_and(|program| program.to_string_lossy().ends_with(" (deleted)"))
    }

    /// Sends a signal, unless the process has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            let _ = kill_process(pid, signal);
        }
    }

    /// Sends `signal`, and kills the process if it has not ended after `timeout`.
    pub(crate) fn stop(&self, signal: Signal, timeout: Duration) {
        self.signal(signal);
        // A process that SIGSTOP suspended handles the signal only after it continues.
        self.signal(Signal::CONT);
        if !self.ends_within(timeout) {
            self.signal(Signal::KILL);
            self.ends_within(Duration::from_secs(5));
        }
    }

    fn ends_within(&self, timeout: Duration) -> bool {
        let started = Instant::now();
        while self.is_alive() {
            if started.elapsed() > timeout {
                return false;
            }
            thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

/// The recorded process of that name, if it is alive.
pub(crate) fn recorded(checkout: &Checkout, name: &str) -> Option<ProcessIdentity> {
    let text = fs::read_to_string(checkout.local(&format!("run/{name}.json"))).ok()?;
    serde_json::from_str::<ProcessIdentity>(&text).ok().filter(ProcessIdentity::is_alive)
}

fn record(checkout: &Checkout, name: &str, identity: &ProcessIdentity) -> Result<()> {
    let text = serde_json::to_string(identity).context(|| format!("The process of {name} cannot be recorded"))?;
    write_file(&checkout.local(&format!("run/{name}.json")), &text)
}

/// Removes the record of a process.
pub(crate) fn forget(checkout: &Checkout, name: &str) {
    let _ = fs::remove_file(checkout.local(&format!("run/{name}.json")));
}

/// Starts a program with its output in the log of that name, and records the process.
pub(crate) fn launch(
    checkout: &Checkout,
    name: &str,
    command: &mut Command,
) -> Result<(ProcessIdentity, std::process::Child)> {
    let action = || format!("{name} cannot be started");
    let log = open_log(&checkout.log(name)).context(action)?;
    let errors = log.try_clone().context(action)?;
    let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().context(action)?;
    let pid = i32::try_from(child.id()).context(action)?;
    let identity = ProcessIdentity::of(pid).ok_or_else(|| DevError::new(action(), "it ended at once"))?;
    record(checkout, name, &identity)?;
    Ok((identity, child))
}

/// Waits in the background until a child ends. Without that, a child that has ended exists until this process ends, too, and PostgreSQL does
/// not start while the process of an earlier server exists.
pub(crate) fn wait_in_background(mut child: std::process::Child) {
    thread::spawn(move || child.wait());
}

/// A command in a session of its own, so that neither Ctrl-C nor a closed terminal ends it.
pub(crate) fn detached(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setsid");
    command.arg(program);
    command
}

/// Opens a log for appending. A log that is too long is renamed first.
pub(crate) fn open_log(path: &Path) -> std::io::Result<File> {
    if fs::metadata(path).is_ok_and(|log| log.len() > MAX_LOG_BYTES) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

/// The current length of a log in bytes.
pub(crate) fn log_length(checkout: &Checkout, name: &str) -> u64 {
    fs::metadata(checkout.log(name)).map_or(0, |log| log.len())
}

/// The last lines of a log after `offset`, for an error message.
pub(crate) fn log_tail(checkout: &Checkout, name: &str, offset: u64) -> String {
    let mut text = Vec::new();
    if let Ok(mut log) = File::open(checkout.log(name)) {
        let _ = log.seek(SeekFrom::Start(offset)).and_then(|_| log.read_to_end(&mut text));
    }
    tail(&String::from_utf8_lossy(&text))
}

/// The last three lines that are not blank.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join("\n")
}

/// Runs a tool to its end and returns its standard output.
pub(crate) fn run(command: &mut Command, action: &str) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| cannot_run(command, action, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).join("\n");
    Err(ended_with(command, action, output.status, &tail(&text)))
}

/// Runs a tool to its end and passes each line of its standard error to `on_line`. Returns whether it succeeded.
pub(crate) fn run_with_lines(command: &mut Command, action: &str, mut on_line: impl FnMut(&str)) -> Result<bool> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| cannot_run(command, action, &error))?;
    if let Some(stderr) = child.stderr.take() {
        BufReader::new(stderr).lines().map_while(Result::ok).for_each(|line| on_line(&line));
    }
    Ok(child.wait().context(|| action.to_owned())?.success())
}

/// The `PATH` with a folder before all others.
pub(crate) fn prepend_to_path(folder: &Path) -> Result<OsString> {
    let path = std::env::vars_os().find(|(name, _)| name == "PATH").map(|(_, path)| path).unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).context(|| "PATH cannot be extended".into())
}

fn cannot_run(command: &Command, action: &str, error: &std::io::Error) -> DevError {
    DevError::new(action, format!("{} cannot be run: {error}", command.get_program().to_string_lossy()))
}

fn ended_with(command: &Command, action: &str, status: std::process::ExitStatus, text: &str) -> DevError {
    DevError::new(action, format!("{} ended with {status}: {text}", command.get_program().to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_process_number_is_a_different_process() {
        let own = ProcessIdentity::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(own.is_alive());
        assert!(!ProcessIdentity { started: own.started + 1, ..own.clone() }.is_alive());
        assert!(!ProcessIdentity { boot: "another".into(), ..own }.is_alive());
    }

    #[test]
    fn a_process_that_ended_and_was_not_waited_for_is_not_alive() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let identity = ProcessIdentity::of(i32::try_from(child.id()).unwrap()).unwrap();
        identity.signal(Signal::KILL);
        assert!(identity.ends_within(Duration::from_secs(5)));
        child.wait().unwrap();
    }

    #[test]
    fn nothing_is_left_of_a_process_that_ended_and_is_waited_for_in_the_background() {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        wait_in_background(child);
        ProcessIdentity::of(i32::try_from(pid).unwrap()).unwrap().signal(Signal::KILL);
        let begun = Instant::now();
        while Path::new(&format!("/proc/{pid}")).exists() {
            assert!(begun.elapsed() < Duration::from_secs(5), "process {pid} is left");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_suspended_process_can_be_stopped() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let identity = ProcessIdentity::of(i32::try_from(child.id()).unwrap()).unwrap();
        identity.signal(Signal::STOP);
        identity.stop(Signal::TERM, Duration::from_secs(5));
        assert!(!identity.is_alive());
        child.wait().unwrap();
    }

    #[test]
    fn every_line_of_standard_error_is_passed_on() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one >&2; echo two >&2; exit 3"]);
        let succeeded = run_with_lines(&mut command, "The test failed", |line| lines.push(line.to_owned())).unwrap();
        assert!(!succeeded);
        assert_eq!(lines, ["one", "two"]);
    }
}
