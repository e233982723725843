//! A program of the tests in a process of its own, which a test can stop and kill.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::timeout;

use crate::processes;

/// Ends when the test ends, because its standard input then ends.
pub struct TestProcess {
    child: Child,
    lines: Arc<Mutex<Lines<BufReader<ChildStdout>>>>,
}

impl TestProcess {
    /// Starts a program, and waits until it prints a line that begins with `ready`. Returns the rest of that line too.
    pub async fn start(program: &str, arguments: &[&str], ready: &'static str) -> (Self, String) {
        let mut command = Command::new(program);
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let process = Self { child, lines: Arc::new(Mutex::new(lines)) };
        let rest = process.next(ready).await.unwrap_or_else(|| panic!("{program} ended before it printed {ready}"));
        (process, rest)
    }

    /// Waits for a line that begins with `prefix`, and returns its rest. `None` if the process ended without it.
    pub fn next(&self, prefix: &'static str) -> impl Future<Output = Option<String>> + Send + use<> {
        let lines = Arc::clone(&self.lines);
        let find = move || {
            let mut lines = lines.lock().unwrap();
            let mut read = lines.by_ref().map_while(Result::ok);
            read.find_map(|line| line.strip_prefix(prefix).map(|rest| rest.trim().to_owned()))
        };
        async move {
            let found = timeout(Duration::from_secs(90), tokio::task::spawn_blocking(find)).await;
            found.unwrap_or_else(|_| panic!("the process does not print {prefix}")).unwrap()
        }
    }

    /// Sends a line to its standard input.
    pub fn send(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Suspends the process, as `SIGSTOP` does.
    pub fn freeze(&self) {
        processes::freeze(self.child.id());
    }

    pub fn thaw(&self) {
        processes::thaw(self.child.id());
    }

    /// Ends the process with `SIGKILL`.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// Waits until the test that started this process has ended.
pub async fn until_test_ends() {
    let until_input_ends = || std::io::stdin().lines().for_each(drop);
    let _ = tokio::task::spawn_blocking(until_input_ends).await;
}
