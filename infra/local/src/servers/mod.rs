//! The servers: what each needs to be installed, started, asked and set up. Order matters: the slowest comes first.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    failure::{Failure, Result},
    ports,
    probe::Answer,
    process::{self, Identity},
    progress::Step,
    stack::Stack,
};

pub(crate) mod elasticmq;
pub(crate) mod kafka;
pub(crate) mod minio;
pub(crate) mod mongo;
pub(crate) mod postgres;
pub(crate) mod redis;

/// All servers, in the order in which they are started.
pub(crate) const ALL: [&dyn Server; 6] =
    [&kafka::Kafka, &postgres::Postgres, &mongo::Mongo, &elasticmq::ElasticMq, &minio::Minio, &redis::Redis];

/// A server of the stack.
pub(crate) trait Server: Sync {
    /// What it is called on the command line, in logs and in `.local/`.
    fn name(&self) -> &'static str;

    /// The variable that names one of the developer's own instead.
    fn variable(&self) -> &'static str;

    /// The ports that it listens on; the first is the one that clients use.
    fn ports(&self, stack: &Stack) -> Vec<u16>;

    /// Gets its program onto the machine.
    fn install(&self, stack: &Stack, step: &Step) -> Result<()>;

    /// Makes its configuration and its empty data.
    fn prepare(&self, stack: &Stack) -> Result<()>;

    /// How it is started.
    fn command(&self, stack: &Stack) -> Result<Command>;

    /// Asks it a small question; says its version, or what is wrong.
    fn probe(&self, stack: &Stack) -> Answer<String>;

    /// Makes in it what the functions expect to find. Twice is once.
    fn settle(&self, stack: &Stack) -> Result<()>;

    /// The signal that ends it in good order.
    fn farewell(&self) -> Signal {
        Signal::TERM
    }

    /// How long it may take to end before it is made to.
    fn last_moments(&self) -> Duration {
        Duration::from_secs(15)
    }
}

/// The server of that name.
pub(crate) fn named(name: &str) -> Option<&'static dyn Server> {
    ALL.into_iter().find(|server| server.name() == name)
}

/// The servers that are ours to run, not the developer's.
pub(crate) fn ours(stack: &Stack) -> impl Iterator<Item = &'static dyn Server> {
    ALL.into_iter().filter(|server| stack.given.get(server.variable()).is_none())
}

/// Has a server run, answer and be set up, whatever state it was in.
pub(crate) fn ensure(server: &dyn Server, stack: &Stack, step: &Step) -> Result<()> {
    const PATIENCE: Duration = Duration::from_secs(90);
    let name = server.name();
    step.doing("looking");
    if let Some(identity) = process::recorded(&stack.checkout, name) {
        if answers_soon(server, stack) {
            return server.settle(stack);
        }
        // It runs and does not answer, even when asked repeatedly: hung, or stopped.
        step.doing("restarting, for it does not answer");
        identity.stop(server.farewell(), Duration::from_secs(3));
    }
    step.doing("installing");
    server.install(stack, step)?;
    free_ports(server, stack)?;
    step.doing("starting");
    server.prepare(stack)?;

    let log = process::log_length(&stack.checkout, name);
    let (identity, mut child) = process::launch(&stack.checkout, name, &mut server.command(stack)?)?;
    let begun = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        thread::sleep(pause);
        pause = (pause * 3 / 2).min(Duration::from_millis(300));
        let answer = server.probe(stack);
        // The child has to be waited for while we are its parent, or else its end goes unnoticed.
        let _ = child.try_wait();
        match answer {
            Ok(_) => break,
            Err(why) if !identity.alive() || begun.elapsed() > PATIENCE => {
                let said = process::last_words(&stack.checkout, name, log);
                let why = if identity.alive() { format!("it does not answer: {why}") } else { "it ended".into() };
                return Err(Failure::new(format!("{name} cannot be started"), format!("{why}: {said}"))
                    .remedy(format!("All that it said: cargo dev logs {name}")));
            }
            Err(_) => {}
        }
    }
    step.doing("setting up");
    server.settle(stack)
}

/// A recorded server may still be starting, if whoever started it was killed meanwhile.
fn answers_soon(server: &dyn Server, stack: &Stack) -> bool {
    let begun = Instant::now();
    loop {
        if server.probe(stack).is_ok() {
            return true;
        }
        if begun.elapsed() > Duration::from_secs(5) || process::recorded(&stack.checkout, server.name()).is_none() {
            return false;
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// Fails when another program listens where the server has to. One of ours that has only just ended is given time.
fn free_ports(server: &dyn Server, stack: &Stack) -> Result<()> {
    let begun = Instant::now();
    for port in server.ports(stack) {
        while !ports::free(port) {
            if begun.elapsed() > Duration::from_secs(5) {
                return Err(Failure::new(
                    format!("{} cannot be started", server.name()),
                    format!("another program listens on port {port}"),
                )
                .remedy(format!(
                    "End it (`ss -ltnp sport = :{port}` names it), or `cargo dev down --wipe` to be given other ports"
                )));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}

/// Ends a server.
pub(crate) fn stop(server: &dyn Server, stack: &Stack) {
    if let Some(identity) = process::recorded(&stack.checkout, server.name()) {
        identity.stop(server.farewell(), server.last_moments());
    }
    process::forget(&stack.checkout, server.name());
}

/// What there is to say of a server.
#[derive(Debug)]
pub(crate) enum State {
    /// It answers, and says this.
    Up(Option<Identity>, String),
    /// It does not, and this is why.
    Down(Option<Identity>, String),
}

/// Asks a server how it is.
pub(crate) fn state(server: &dyn Server, stack: &Stack) -> State {
    let identity = process::recorded(&stack.checkout, server.name());
    match (identity, server.probe(stack)) {
        (Some(identity), Ok(said)) => State::Up(Some(identity), said),
        (Some(identity), Err(why)) => State::Down(Some(identity), why),
        (None, Ok(_)) => State::Down(None, "something answers there, but it is not ours".into()),
        (None, Err(_)) => State::Down(None, "not running".into()),
    }
}
