//! The machine, and the memory of processes.

use std::{fs, thread};

use crate::error::Result;

/// One line with processor, cores, memory, kernel and load.
pub(crate) fn description() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, label: &str| {
        let line = text.lines().find(|line| line.starts_with(label)).unwrap_or_default();
        line.split_once(':').map_or("?", |(_, value)| value.trim()).to_owned()
    };
    let processor = after(&read("/proc/cpuinfo"), "model name");
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let memory = kib(&after(&read("/proc/meminfo"), "MemTotal")) / 1024 / 1024;
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{processor}, {cores} cores, {memory} GiB, Linux {}, load {}", kernel.trim(), load())
}

/// The load average of the last minute.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

/// The resident memory of a process, in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS")
}

/// The most resident memory that a process has ever had, in KiB.
pub(crate) fn peak_resident_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmHWM")
}

fn status_kib(pid: u32, label: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix(':'));
    Ok(kib(line.ok_or_else(|| format!("/proc/{pid}/status contains no {label}"))?))
}

/// Reads `1234 kB`.
fn kib(text: &str) -> u64 {
    text.trim().trim_end_matches("kB").trim().parse().unwrap_or(0)
}
