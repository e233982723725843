//! The deadline that all probes of one report share.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::health::checks::error::ProbeError;

/// When a probe ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProbeDeadline {
    from: Instant,
    limit: Duration,
}

impl ProbeDeadline {
    /// `limit` after `from`.
    pub(super) fn new(from: Instant, limit: Duration) -> Self {
        Self { from, limit }
    }

    pub(super) fn remaining(self) -> Duration {
        self.at().saturating_duration_since(Instant::now())
    }

    /// Waits for a response until the deadline.
    pub(super) async fn wait<T>(
        self,
        response: impl Future<Output = Result<T, ProbeError>>,
    ) -> Result<Timed<T>, ProbeError> {
        let begun = Instant::now();
        match timeout_at(self.at(), response).await {
            Ok(result) => result.map(|value| Timed { value, took: begun.elapsed() }),
            Err(_) => Err(ProbeError::timed_out(self.limit)),
        }
    }

    fn at(self) -> Instant {
        self.from + self.limit
    }

    /// The middle of the remaining time.
    pub(super) fn middle(self) -> Instant {
        Instant::now() + self.remaining() / 2
    }
}

/// A response, and how long it took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timed<T> {
    pub(super) value: T,
    pub(super) took: Duration,
}

impl<T> Timed<T> {
    pub(super) fn latency_ms(&self) -> f64 {
        milliseconds(self.took)
    }
}

/// Milliseconds, to the microsecond.
pub(super) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
