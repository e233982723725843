//! The parts of the local stack, and their processes.

use std::{fs, process::Stdio, time::Duration};

use rustix::process::geteuid;
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use crate::{processes, variable};

/// The servers of the stack.
pub(super) const SERVERS: [&str; 6] = ["postgres", "mongo", "redis", "kafka", "elasticmq", "minio"];

/// A line of `cargo dev status`.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) is_up: bool,
    pub(super) pid: Option<u32>,
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
            let number = |index: usize| words.get(index).and_then(|word| word.parse::<u32>().ok());
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
pub(super) fn functions() -> Vec<(String, u32)> {
    let api = format!("AWS_LAMBDA_RUNTIME_API={}/.rt/", variable("API_URL"));
    let mut found: Vec<_> = processes::all()
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

/// Whether this machine allows to [`cut`] connections. It needs root, and `ss` of Debian's package iproute2.
pub(super) async fn can_cut() -> bool {
    geteuid().is_root() && Command::new("ss").arg("-V").output().await.is_ok_and(|output| output.status.success())
}

/// Resets all connections to a port, on both sides.
pub(super) async fn cut(port: u16) {
    let filter = format!("sport = :{port}");
    let output = Command::new("ss").args(["-K", "-H", "-t", "-n", "state", "established", &filter]).output().await;
    assert!(output.unwrap().status.success(), "the connections to port {port} cannot be cut");
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
    let of_parts = parts().await.into_iter().filter_map(|part| part.pid);
    for pid in of_parts.chain(functions().into_iter().map(|(_, pid)| pid)) {
        processes::thaw(pid);
    }
    for server in SERVERS {
        start(server).await;
    }
    let begun = Instant::now();
    while let Some(down) = parts().await.into_iter().find(|part| !part.is_up) {
        assert!(begun.elapsed() < Duration::from_mins(3), "{} stays down", down.name);
        sleep(Duration::from_millis(500)).await;
    }
}
