//! What the kernel reports about processes in `/proc`.

use std::{fs, time::Duration};

/// Clock ticks in a second, as `/proc` counts them (`USER_HZ`): 100 on every architecture that Rust supports on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The fields of `/proc/PID/stat` that this program needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ProcessStat {
    /// One letter, such as `R` for running and `Z` for a process that ended and was not waited for.
    pub(crate) state: char,
    pub(crate) parent: i32,
    /// Clock ticks from the machine's boot to the start of the process.
    pub(crate) started: u64,
}

impl ProcessStat {
    /// `None` when no process has this number.
    pub(crate) fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field is the program's name, which may contain spaces and parentheses.
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

/// How long this process has existed. `cargo run` replaces itself with the program that it built, so this includes the
/// time that cargo took to compile `dev`.
pub(crate) fn own_age() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let ticks = u32::try_from(ProcessStat::parse(&stat)?.started).ok()?;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(uptime - f64::from(ticks) / TICKS_PER_SECOND).ok()
}

/// The identifier of the machine's current boot.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_parentheses_does_not_shift_the_fields() {
        let line = "42 (a) (b) S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 777 1000 1";
        assert_eq!(ProcessStat::parse(line), Some(ProcessStat { state: 'S', parent: 7, started: 777 }));
        assert_eq!(ProcessStat::parse("42 (cut off"), None);
    }

    #[test]
    fn the_age_of_this_process_is_seconds_not_days() {
        assert!(own_age().is_some_and(|age| age < Duration::from_hours(1)));
    }
}
