//! Apache Kafka: one broker, which is also the controller.

use std::{fs, process::Command};

use crate::{
    certificates,
    checkout::write_file,
    environment::{KAFKA_USER as USER, TOPIC},
    error::{ErrorContext, Result},
    install::{maven::MavenJars, system::SystemPackage},
    probe::ProbeResult,
    process::{detached, run},
    progress::ProgressStep,
    stack::LocalStack,
};

use super::{kafka_requests, server::LocalServer};

const JARS: MavenJars = MavenJars {
    name: "kafka",
    version: "4.1.1",
    coordinates: &[
        "org.apache.kafka:kafka_2.13:4.1.1",
        "org.apache.logging.log4j:log4j-slf4j-impl:2.25.1",
        "org.apache.logging.log4j:log4j-core:2.25.1",
    ],
    checksums: include_str!("../../checksums/kafka-4.1.1.sha256"),
};

/// Several, as in production, where consumers read several partitions.
const PARTITIONS: i32 = 3;

pub(crate) struct KafkaServer;

impl LocalServer for KafkaServer {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn variable(&self) -> &'static str {
        "KAFKA_BROKERS"
    }

    fn ports(&self, stack: &LocalStack) -> Vec<u16> {
        vec![stack.ports.kafka(), stack.ports.kafka_controller()]
    }

    fn packages(&self) -> Vec<SystemPackage> {
        JARS.required_packages()
    }

    fn install(&self, _: &ProgressStep) -> Result<()> {
        JARS.install().map(drop)
    }

    fn prepare(&self, stack: &LocalStack) -> Result<()> {
        let data = stack.checkout.local("data/kafka");
        fs::create_dir_all(&data).context(|| format!("{} cannot be created", data.display()))?;
        let (broker, controller) = (stack.ports.kafka(), stack.ports.kafka_controller());
        let authority = certificates::authority(&stack.checkout);
        let certificate = certificates::key_and_certificate(&stack.checkout);
        let password = &stack.secrets.kafka;
        let settings = format!(
            "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=SASL_SSL://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SASL_SSL://127.0.0.1:{broker}
inter.broker.listener.name=SASL_SSL
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:SSL,SASL_SSL:SASL_SSL
listener.name.controller.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={certificate}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{USER}\" password=\"{password}\" user_{USER}=\"{password}\";
log.dirs={data}
num.partitions={PARTITIONS}
default.replication.factor=1
min.insync.replicas=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
",
            data = data.display(),
            certificate = certificate.display(),
            authority = authority.display()
        );
        write_file(&stack.checkout.local("etc/kafka.properties"), &settings)?;
        write_file(&stack.checkout.local("etc/kafka-log4j2.yaml"), LOGGING)?;
        if data.join("meta.properties").is_file() {
            return Ok(());
        }
        let mut format = Command::new("java");
        java(&mut format, stack)?;
        format.args([
            "kafka.tools.StorageTool",
            "format",
            "--ignore-formatted",
            "-t",
            &stack.secrets.kafka_cluster,
            "--add-scram",
            &format!("SCRAM-SHA-512=[name={USER},password={password}]"),
            "-c",
        ]);
        run(format.arg(stack.checkout.local("etc/kafka.properties")), "Kafka's storage cannot be created").map(drop)
    }

    fn command(&self, stack: &LocalStack) -> Result<Command> {
        let mut command = detached("java");
        java(&mut command, stack)?;
        command.arg("kafka.Kafka").arg(stack.checkout.local("etc/kafka.properties"));
        Ok(command)
    }

    fn probe(&self, stack: &LocalStack) -> ProbeResult<String> {
        kafka_requests::versions(&stack.endpoint(stack.ports.kafka())).map(|()| format!("Kafka {}", JARS.version))
    }

    fn set_up(&self, stack: &LocalStack) -> Result<()> {
        // The broker answers shortly before it accepts new topics.
        let started = std::time::Instant::now();
        loop {
            let server = stack.endpoint(stack.ports.kafka());
            match kafka_requests::create_topic(&server, USER, &stack.secrets.kafka, TOPIC, PARTITIONS) {
                Err(_) if started.elapsed().as_secs() < 20 => std::thread::sleep(std::time::Duration::from_millis(200)),
                answer => return answer.context(|| format!("Kafka's topic {TOPIC} cannot be created")),
            }
        }
    }
}

fn java(command: &mut Command, stack: &LocalStack) -> Result<()> {
    command.args(["-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    command.arg(format!("-Dlog4j2.configurationFile={}", stack.checkout.local("etc/kafka-log4j2.yaml").display()));
    command.arg("-cp").arg(JARS.install()?.join("*"));
    Ok(())
}

const LOGGING: &str = "Configuration:
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        pattern: '%d %p %c{1}: %m%n'
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        - ref: STDOUT
    Logger:
      - name: kafka.server.KafkaRaftServer
        level: INFO
";
