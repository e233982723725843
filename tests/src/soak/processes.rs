//! The processes of the local stack.

use std::{fs, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use crate::variable;

/// The servers of the stack.
pub(super) const SERVERS: [&str; 6] = ["postgres", "mongo", "redis", "kafka", "elasticmq", "minio"];

/// A line of `cargo dev status`.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) is_up: bool,
    pub(super) pid: Option<i32>,
    pub(super) port: Option<u16>,
}

async fn dev(arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(variable("LANDLORD_DEV"));
    let output = command.args(arguments).stdin(Stdio::null()).output().await.expect("cargo dev runs");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), text.concat())
}

/// The servers and what the supervisor keeps running, without the functions.
pub(super) async fn parts() -> Vec<Part> {
    let (_, status) = dev(&["status"]).await;
    let lines = status.lines().skip(1).filter(|line| !line.starts_with(' '));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |index: usize| words.get(index).and_then(|word| word.parse::<i32>().ok());
            Part {
                name: words[0].to_owned(),
                is_up: words.get(1) == Some(&"up"),
                pid: number(2),
                port: number(3).and_then(|port| u16::try_from(port).ok()),
            }
        })
        .collect()
}

/// The processes of functions that connect to the stack's runtime API: the function and the number of the process.
pub(super) fn functions() -> Vec<(String, i32)> {
    let api = format!("AWS_LAMBDA_RUNTIME_API={}/.rt/", variable("API_URL"));
    let mut found: Vec<_> = pids()
        .filter_map(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
            let variables = String::from_utf8_lossy(&environment).into_owned();
            let function = variables.split('\0').find_map(|line| line.strip_prefix(&api))?;
            Some((function.to_owned(), pid))
        })
        .collect();
    found.sort();
    found
}

fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A process and all that it has started.
pub(super) fn family(pid: i32) -> Vec<i32> {
    let parents: Vec<(i32, i32)> = pids().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(of) = family.get(next).copied() {
        family.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        next += 1;
    }
    family
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may contain spaces.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

pub(super) fn signal(pids: &[i32], signal: Signal) {
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        // It may have ended meanwhile.
        let _ended = kill_process(pid, signal);
    }
}

/// Resets all connections to a port, on both sides. Returns whether this machine allows it.
pub(super) async fn cut(port: u16) -> bool {
    let filter = format!("sport = :{port}");
    let output = Command::new("ss").args(["-K", "-H", "-t", "-n", "state", "established", &filter]).output().await;
    output.is_ok_and(|output| output.status.success())
}

/// Starts a server, however often that fails.
pub(super) async fn start(name: &str) {
    let begun = Instant::now();
    loop {
        let (is_started, text) = dev(&["start", name]).await;
        if is_started {
            return;
        }
        assert!(begun.elapsed() < Duration::from_mins(2), "{name} does not start: {text}");
        sleep(Duration::from_millis(300)).await;
    }
}

pub(super) async fn stop(name: &str) {
    let (is_stopped, text) = dev(&["stop", name]).await;
    assert!(is_stopped, "{name} does not stop: {text}");
}

/// Brings every part back.
pub(super) async fn heal() {
    for part in parts().await {
        if let Some(pid) = part.pid {
            signal(&family(pid), Signal::CONT);
        }
    }
    signal(&functions().into_iter().map(|(_, pid)| pid).collect::<Vec<_>>(), Signal::CONT);
    for server in SERVERS {
        start(server).await;
    }
    let begun = Instant::now();
    while let Some(down) = parts().await.into_iter().find(|part| !part.is_up) {
        assert!(begun.elapsed() < Duration::from_mins(3), "{} stays down", down.name);
        sleep(Duration::from_millis(500)).await;
    }
}
