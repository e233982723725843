//! A program of the tests in a process of its own, which a test can kill.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// Ends when the test ends, because its standard input then ends.
pub struct TestProcess(Child);

impl TestProcess {
    /// Starts a program, and waits until it prints a line that begins with `ready`. Returns the rest of that line too.
    pub async fn start(program: &str, arguments: &[&str], ready: &'static str) -> (Self, String) {
        let mut command = Command::new(program);
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let rest = tokio::task::spawn_blocking(move || {
            lines.find_map(|line| line.strip_prefix(ready).map(|rest| rest.trim().to_owned()))
        });
        (Self(child), rest.await.unwrap().unwrap_or_else(|| panic!("{program} ended before it printed {ready}")))
    }

    /// Ends the process with `SIGKILL`.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Waits until the test that started this process has ended.
pub async fn until_test_ends() {
    let until_input_ends = || std::io::stdin().lines().for_each(drop);
    let _ = tokio::task::spawn_blocking(until_input_ends).await;
}
