//! The log of the code under test, as a function writes it to standard output.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use shared::telemetry;
use tracing::subscriber::DefaultGuard;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Captures what this thread logs until it is dropped, so the runtime of the test must have one thread.
pub struct CapturedLog {
    written: Written,
    _installed: DefaultGuard,
}

impl CapturedLog {
    pub fn start() -> Self {
        let written = Written::default();
        let destination = written.clone();
        let subscriber = telemetry::json_subscriber("info", move || destination.clone());
        Self { written, _installed: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines since the last call.
    pub fn take(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.written.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }
}

/// The values of a metric in these lines.
pub fn metric(lines: &[Value], name: &str) -> Vec<f64> {
    let of_namespace = lines.iter().filter(|line| line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Landlord");
    of_namespace.filter_map(|line| line[name].as_f64()).collect()
}
