//! `ElasticMQ`, which speaks SQS's protocol and keeps its messages.

use std::{fs, process::Command, time::Duration};

use crate::{
    checkout::write_whole,
    failure::{Attempt, Result},
    install::maven::Jars,
    probe::{self, Answer},
    process::detached,
    progress::Step,
    stack::Stack,
};

use super::Server;

/// The server and what it logs with.
pub(crate) const JARS: Jars = Jars {
    name: "elasticmq",
    version: "1.6.14",
    coordinates: &["org.elasticmq:elasticmq-server_2.13:1.6.14"],
    checksums: include_str!("../../checksums/elasticmq-1.6.14.sha256"),
};

/// The queues: name, and deliveries after which a message goes to `NAME-dlq`.
const QUEUES: [(&str, u32); 3] = [("measure-usage", 3), ("provision-tenant", 5), ("relay-events", 3)];

/// Seconds that a message stays hidden while a function works on it.
const VISIBILITY: u32 = 30;

/// The server.
pub(crate) struct ElasticMq;

impl Server for ElasticMq {
    fn name(&self) -> &'static str {
        "elasticmq"
    }

    fn variable(&self) -> &'static str {
        "AWS_ENDPOINT_URL_SQS"
    }

    fn ports(&self, stack: &Stack) -> Vec<u16> {
        vec![stack.ports.elasticmq()]
    }

    fn install(&self, _: &Stack, _: &Step) -> Result<()> {
        JARS.install().map(drop)
    }

    fn prepare(&self, stack: &Stack) -> Result<()> {
        let data = stack.checkout.local("data/elasticmq");
        fs::create_dir_all(&data).attempt(|| format!("{} cannot be made", data.display()))?;
        let port = stack.ports.elasticmq();
        let queues: String = QUEUES.iter().map(|(name, deliveries)| queue(name, *deliveries)).collect();
        // Without WRITE_DELAY=0 a message is on disk half a second after it was accepted, and lost if killed before.
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
        write_whole(&stack.checkout.local("etc/elasticmq.conf"), &settings)
    }

    fn command(&self, stack: &Stack) -> Result<Command> {
        let mut command = detached("java");
        command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.arg(format!("-Dconfig.file={}", stack.checkout.local("etc/elasticmq.conf").display()));
        command.arg("-cp").arg(JARS.install()?.join("*")).arg("org.elasticmq.server.Main");
        Ok(command)
    }

    fn probe(&self, stack: &Stack) -> Answer<String> {
        let (status, body) = probe::get(&format!("http://127.0.0.1:{}/?Action=ListQueues", stack.ports.elasticmq()))?;
        if QUEUES.iter().all(|(name, _)| body.contains(&format!("/{name}<"))) {
            Ok(format!("ElasticMQ {}", JARS.version))
        } else {
            Err(format!("it answers {status}, without our queues"))
        }
    }

    fn settle(&self, _: &Stack) -> Result<()> {
        Ok(())
    }

    /// It would wait for every long poll to run out; each message that it accepted is on disk already.
    fn last_moments(&self) -> Duration {
        Duration::from_secs(1)
    }
}

fn queue(name: &str, deliveries: u32) -> String {
    format!(
        r#"  "{name}" {{ defaultVisibilityTimeout = {VISIBILITY} seconds, deadLettersQueue {{ name = "{name}-dlq", maxReceiveCount = {deliveries} }} }}
  "{name}-dlq" {{ defaultVisibilityTimeout = {VISIBILITY} seconds }}
"#
    )
}
