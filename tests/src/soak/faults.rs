//! Disturbs the processes of the stack.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    parts::{self, Part, SERVERS},
    settings::Settings,
    tally::Tally,
};
use crate::processes;

pub(super) struct Faults {
    settings: Settings,
    tally: Arc<Tally>,
    rng: StdRng,
    /// What is being disturbed.
    busy: Arc<Mutex<BTreeSet<String>>>,
}

/// Those that not every machine allows come last.
const KINDS: [Kind; 3] = [Kind::Kill, Kind::Stop, Kind::Cut];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Kill,
    Stop,
    Cut,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Cut => "cut",
        }
    }
}

impl Faults {
    pub(super) fn new(settings: &Settings, tally: Arc<Tally>) -> Self {
        let rng = StdRng::seed_from_u64(settings.seed);
        Self { settings: settings.clone(), tally, rng, busy: Arc::default() }
    }

    pub(super) async fn disturb_until(mut self, end: Instant) {
        if let Some(server) = self.settings.outage.clone() {
            return self.outage(&server, end).await;
        }
        if self.settings.fault_seconds <= 0.0 {
            return;
        }
        let kinds = if parts::can_cut().await { 3 } else { 2 };
        if kinds < KINDS.len() {
            self.tally.log("connections are not cut: this needs root and ss (Debian: iproute2)");
        }
        let mut running = JoinSet::new();
        loop {
            let wait = self.settings.fault_seconds * self.rng.random_range(0.3..1.7);
            let next = Instant::now() + Duration::from_secs_f64(wait);
            if next > end {
                break;
            }
            sleep_until(next).await;
            // Each takes its numbers from a generator of its own, whether it then happens or not.
            let rng = StdRng::seed_from_u64(self.rng.random());
            running.spawn(Fault { kinds, rng, tally: Arc::clone(&self.tally), busy: Arc::clone(&self.busy) }.happen());
        }
        while let Some(ended) = running.join_next().await {
            if let Err(panic) = ended {
                std::panic::resume_unwind(panic.into_panic());
            }
        }
    }

    async fn outage(&self, server: &str, end: Instant) {
        self.tally.log(&format!("{server} is stopped"));
        self.tally.fault("outage", server);
        parts::stop(server).await;
        sleep_until(end).await;
        parts::start(server).await;
        self.tally.log(&format!("{server} is started"));
    }
}

struct Fault {
    /// How many of [`KINDS`] are possible.
    kinds: usize,
    rng: StdRng,
    tally: Arc<Tally>,
    busy: Arc<Mutex<BTreeSet<String>>>,
}

impl Fault {
    async fn happen(mut self) {
        let kind = KINDS[self.rng.random_range(0..self.kinds)];
        let pause = Duration::from_millis(self.rng.random_range(300..9000));
        // Functions and servers equally; what keeps the functions running, seldom.
        match self.rng.random_range(0..21) {
            0..10 if kind != Kind::Cut => self.disturb_function(kind, pause).await,
            0..20 => self.disturb_server(kind, pause).await,
            _ => self.disturb_part(pause).await,
        }
    }

    async fn disturb_function(&mut self, kind: Kind, pause: Duration) {
        let functions = parts::functions();
        // By name first: a function with several processes is as likely as one with one.
        let names: BTreeSet<&String> = functions.iter().map(|(name, _)| name).collect();
        let names = Vec::from_iter(names);
        if names.is_empty() {
            return;
        }
        let name = names[self.rng.random_range(0..names.len())];
        let own: Vec<u32> = functions.iter().filter(|(own, _)| own == name).map(|(_, pid)| *pid).collect();
        let pid = own[self.rng.random_range(0..own.len())];
        let Some(_claim) = self.claim(kind, &format!("{name} {pid}"), name, pause) else { return };
        disturb_process(kind, pid, pause).await;
    }

    async fn disturb_server(&mut self, kind: Kind, pause: Duration) {
        let name = SERVERS[self.rng.random_range(0..SERVERS.len())];
        let Some(Part { pid: Some(pid), port: Some(number), .. }) = find(name).await else { return };
        let Some(_claim) = self.claim(kind, name, name, pause) else { return };
        match kind {
            Kind::Cut => parts::cut(number).await,
            Kind::Stop => disturb_process(kind, pid, pause).await,
            Kind::Kill => {
                disturb_process(kind, pid, pause).await;
                parts::start(name).await;
            }
        }
    }

    /// Kills `cargo lambda watch` with all functions, or what invokes the workers. The supervisor starts it again.
    async fn disturb_part(&mut self, pause: Duration) {
        let name = ["functions", "emulator"][self.rng.random_range(0..2)];
        let Some(Part { pid: Some(pid), .. }) = find(name).await else { return };
        let Some(_claim) = self.claim(Kind::Kill, name, name, pause) else { return };
        disturb_process(Kind::Kill, pid, pause).await;
    }

    /// Reserves a target. `None` while it is being disturbed.
    fn claim(&self, kind: Kind, target: &str, name: &str, pause: Duration) -> Option<Claim> {
        let claimed = self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(target.to_owned());
        if !claimed {
            return None;
        }
        let lasts = if kind == Kind::Cut { String::new() } else { format!(" for {:.1} s", pause.as_secs_f64()) };
        self.tally.log(&format!("{} {target}{lasts}", kind.name()));
        self.tally.fault(kind.name(), name);
        Some(Claim { busy: Arc::clone(&self.busy), target: target.to_owned() })
    }
}

async fn disturb_process(kind: Kind, pid: u32, pause: Duration) {
    if kind == Kind::Kill {
        processes::kill(pid);
        sleep(pause).await;
    } else {
        processes::freeze(pid);
        sleep(pause).await;
        processes::thaw(pid);
    }
}

async fn find(name: &str) -> Option<Part> {
    parts::parts().await.into_iter().find(|part| part.name == name)
}

struct Claim {
    busy: Arc<Mutex<BTreeSet<String>>>,
    target: String,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.target);
    }
}
