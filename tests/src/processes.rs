//! Suspends the processes of a server of a test's own.

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

fn signal(process: u32, signal: Signal) {
    if let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        let _ended = kill_process(process, signal);
    }
}

/// The processes whose parent is `parent`.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_child = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The name, in parentheses, may contain spaces. The state and the parent follow.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        rest.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    processes.filter(is_child).collect()
}
