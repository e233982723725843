//! `ElasticMQ`, which implements SQS's protocol and stores messages durably.

use std::{fs, process::Command, time::Duration};

use crate::{
    checkout::write_file,
    error::{ErrorContext, Result},
    install::{maven::MavenJars, system::SystemPackage},
    probe::{self, ProbeResult},
    process::detached,
    progress::ProgressStep,
    stack::LocalStack,
};

use super::server::LocalServer;

const JARS: MavenJars = MavenJars {
    name: "elasticmq",
    version: "1.6.14",
    coordinates: &["org.elasticmq:elasticmq-server_2.13:1.6.14"],
    checksums: include_str!("../../checksums/elasticmq-1.6.14.sha256"),
};

/// The queues, each with the number of deliveries after which a message is moved to `NAME-dlq`.
const QUEUES: [(&str, u32); 3] = [("measure-usage", 3), ("provision-tenant", 5), ("relay-events", 3)];

/// Seconds that a received message stays invisible to other receivers.
const VISIBILITY_TIMEOUT: u32 = 30;

pub(crate) struct ElasticMqServer;

impl LocalServer for ElasticMqServer {
    fn name(&self) -> &'static str {
        "elasticmq"
    }

    fn variable(&self) -> &'static str {
        "AWS_ENDPOINT_URL_SQS"
    }

    fn ports(&self, stack: &LocalStack) -> Vec<u16> {
        vec![stack.ports.elasticmq()]
    }

    fn packages(&self) -> Vec<SystemPackage> {
        JARS.required_packages()
    }

    fn install(&self, _: &ProgressStep) -> Result<()> {
        JARS.install().map(drop)
    }

    fn prepare(&self, stack: &LocalStack) -> Result<()> {
        let data = stack.checkout.local("data/elasticmq");
        fs::create_dir_all(&data).context(|| format!("{} cannot be created", data.display()))?;
        let port = stack.ports.elasticmq();
        let queues: String = QUEUES.iter().map(|(name, deliveries)| queue(name, *deliveries)).collect();
        // By default a message is written half a second after it was accepted, and lost if the server is killed before.
        let settings = format!(
            r#"include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1", sqs-limits = strict }}
rest-stats {{ enabled = false }}
messages-storage {{ enabled = true, uri = "jdbc:h2:{data}/elasticmq;WRITE_DELAY=0" }}
queues {{
{queues}}}
"#,
            data = data.display()
        );
        write_file(&stack.checkout.local("etc/elasticmq.conf"), &settings)
    }

    fn command(&self, stack: &LocalStack) -> Result<Command> {
        let mut command = detached("java");
        command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.arg(format!("-Dconfig.file={}", stack.checkout.local("etc/elasticmq.conf").display()));
        command.arg("-cp").arg(JARS.install()?.join("*")).arg("org.elasticmq.server.Main");
        Ok(command)
    }

    fn probe(&self, stack: &LocalStack) -> ProbeResult<String> {
        let (status, body) = probe::get(&format!("http://127.0.0.1:{}/?Action=ListQueues", stack.ports.elasticmq()))?;
        if QUEUES.iter().all(|(name, _)| body.contains(&format!("/{name}<"))) {
            Ok(format!("ElasticMQ {}", JARS.version))
        } else {
            Err(format!("it answered {status} without the expected queues"))
        }
    }

    fn set_up(&self, _: &LocalStack) -> Result<()> {
        Ok(())
    }

    /// An orderly shutdown waits for every long poll to end. Each accepted message is on disk already.
    fn stop_timeout(&self) -> Duration {
        Duration::from_secs(1)
    }
}

fn queue(name: &str, deliveries: u32) -> String {
    format!(
        r#"  "{name}" {{ defaultVisibilityTimeout = {VISIBILITY_TIMEOUT} seconds, deadLettersQueue {{ name = "{name}-dlq", maxReceiveCount = {deliveries} }} }}
  "{name}-dlq" {{ defaultVisibilityTimeout = {VISIBILITY_TIMEOUT} seconds }}
"#
    )
}
