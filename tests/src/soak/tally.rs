//! What happened in a soak: its size.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display, Formatter},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::Method;
use tokio::time::Instant;

pub(super) struct Tally {
    begun: Instant,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    faults: BTreeMap<String, usize>,
    answers: BTreeMap<(&'static str, String), usize>,
    /// Methods and routes of all requests.
    called: BTreeSet<(String, String)>,
    /// From the request of each tenant until it was active.
    provisioning: Vec<Duration>,
}

impl Tally {
    pub(super) fn new(begun: Instant) -> Self {
        Self { begun, counts: Mutex::default() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn log(&self, line: &str) {
        println!("[{:>6.1} s] {line}", self.begun.elapsed().as_secs_f64());
    }

    pub(super) fn fault(&self, kind: &str, target: &str) {
        *self.counts().faults.entry(format!("{kind} {target}")).or_default() += 1;
    }

    /// The answer to an attempt at an action: a status code, or why there was none.
    pub(super) fn answer(&self, action: &'static str, answer: String) {
        *self.counts().answers.entry((action, answer)).or_default() += 1;
    }

    pub(super) fn call(&self, method: &Method, route: String) {
        self.counts().called.insert((method.to_string(), route));
    }

    pub(super) fn has_called(&self, method: &str, route: &str) -> bool {
        self.counts().called.contains(&(method.to_owned(), route.to_owned()))
    }

    pub(super) fn provisioned(&self, duration: Duration) {
        self.counts().provisioning.push(duration);
    }
}

impl Display for Tally {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let mut counts = self.counts();
        for kind in ["kill", "stop", "cut", "outage"] {
            let of_kind = counts.faults.iter().filter(|(name, _)| name.starts_with(kind));
            let targets: Vec<_> = of_kind.map(|(name, count)| format!("{} {count}", &name[kind.len() + 1..])).collect();
            let total: usize = counts.faults.iter().filter(|(name, _)| name.starts_with(kind)).map(|(_, n)| n).sum();
            writeln!(out, "{kind}: {total} ({})", targets.join(", "))?;
        }
        for ((action, answer), count) in &counts.answers {
            writeln!(out, "{action:<22} {answer:<12} {count}")?;
        }
        counts.provisioning.sort_unstable();
        let times = &counts.provisioning;
        if let (Some(median), Some(p95), Some(last)) =
            (times.get(times.len() / 2), times.get(times.len() * 95 / 100), times.last())
        {
            writeln!(
                out,
                "request to active: {} tenants, median {:.1} s, p95 {:.1} s, longest {:.1} s",
                times.len(),
                median.as_secs_f64(),
                p95.as_secs_f64(),
                last.as_secs_f64()
            )?;
        }
        Ok(())
    }
}
