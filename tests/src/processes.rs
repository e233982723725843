//! Signals to processes that a test disturbs.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Suspends a process and all that it has started.
pub(crate) fn freeze(root: u32) {
    // The parent first, so that it starts no other meanwhile.
    signal(root, Signal::STOP);
    for child in children(root) {
        freeze(child);
    }
}

pub(crate) fn thaw(root: u32) {
    for child in children(root) {
        thaw(child);
    }
    signal(root, Signal::CONT);
}

/// Ends a process with `SIGKILL`. Those that it has started go on.
pub(crate) fn kill(process: u32) {
    signal(process, Signal::KILL);
}

fn signal(process: u32, signal: Signal) {
    if let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        // It may have ended meanwhile.
        let _ended = kill_process(process, signal);
    }
}

/// The processes whose parent is `parent`.
fn children(parent: u32) -> Vec<u32> {
    let is_child = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The name, in parentheses, may contain spaces. The state and the parent follow.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        rest.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    all().filter(is_child).collect()
}

/// All processes of this machine.
pub(crate) fn all() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The resident memory of a process, now and at most so far, in bytes. `None` if it has ended.
pub fn memory(process: u32) -> Option<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let figure = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
    };
    Some((figure("VmRSS:")?, figure("VmHWM:")?))
}
