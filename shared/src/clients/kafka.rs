//! Kafka, by librdkafka. Every client connects in the background, when it is first asked for something; what it is asked
//! waits no longer than the caller says. Calls that block belong on [`tokio::task::spawn_blocking`].

use std::{thread, time::Duration};

use rdkafka::{
    ClientConfig, ClientContext,
    admin::AdminClient,
    client::Client,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    consumer::{BaseConsumer, ConsumerContext},
    error::KafkaError,
    producer::FutureProducer,
    types::RDKafkaType,
};
use secrecy::ExposeSecret;

use crate::{
    config::KafkaConfig,
    error::{Dependency, Error, Result},
};

/// Sends messages.
pub type Producer = FutureProducer<Log>;
/// Reads messages, and knows the topics, their partitions and offsets.
pub type Consumer = BaseConsumer<Log>;
/// Makes topics.
pub type Admin = AdminClient<Log>;
/// Knows the topics and their partitions, and does nothing else.
pub type Observer = Client<Log>;

/// What a consumer sees of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Messages of committed transactions; the end of a partition is where the first open transaction begins.
    Committed,
    /// All messages; the end of a partition is the end.
    Uncommitted,
}

/// A producer of transactions. All that bear one `transactional_id` are one to Kafka: of them only the latest to call
/// `init_transactions` can send, and an open transaction of those before it is aborted by that call.
pub fn producer(config: &KafkaConfig, transactional_id: &str) -> Result<Producer> {
    let timeout = config.timeout.as_millis();
    let mut settings = settings(config);
    settings
        .set("transactional.id", transactional_id)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.timeout.ms", timeout.to_string())
        // A transaction that nobody ends holds up those who read what is committed, until this much has passed.
        .set("transaction.timeout.ms", (timeout * 3).to_string())
        // As the Java clients do it, so that a key has one partition whoever sends.
        .set("partitioner", "murmur2_random");
    create(&settings)
}

/// A consumer to be assigned to partitions; it joins no group, commits no offsets and tells of the end of a partition.
pub fn consumer(config: &KafkaConfig, isolation: Isolation) -> Result<Consumer> {
    let mut settings = settings(config);
    settings
        // librdkafka wants the name of a group even from one that joins none.
        .set("group.id", "landlord")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "100")
        .set(
            "isolation.level",
            match isolation {
                Isolation::Committed => "read_committed",
                Isolation::Uncommitted => "read_uncommitted",
            },
        );
    create(&settings)
}

/// A client that makes topics.
pub fn admin(config: &KafkaConfig) -> Result<Admin> {
    create(&settings(config))
}

/// A client that is asked how topics are.
pub fn observer(config: &KafkaConfig) -> Result<Observer> {
    let settings = settings(config);
    let native = settings.create_native_config().map_err(Error::internal)?;
    // To librdkafka, every client is a producer or a consumer; the former does less by itself.
    Client::new(&settings, native, RDKafkaType::RD_KAFKA_PRODUCER, Log).map_err(Error::internal)
}

/// Runs a call of librdkafka that blocks. It runs to its end, or its own timeout, even if nobody waits for it any more.
pub async fn blocking<T: Send + 'static>(call: impl FnOnce() -> Result<T, KafkaError> + Send + 'static) -> Result<T> {
    Ok(tokio::task::spawn_blocking(call).await.map_err(Error::internal)??)
}

/// Drops a client where nobody waits for it: librdkafka ends its threads first, which takes a while.
pub fn end_aside<T: Send + 'static>(client: T) {
    // Without a thread to spare it is dropped here and now.
    let _ended = thread::Builder::new().spawn(move || drop(client));
}

fn settings(config: &KafkaConfig) -> ClientConfig {
    let timeout = config.timeout;
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", "landlord")
        .set("security.protocol", &config.security_protocol)
        .set("socket.timeout.ms", timeout.as_millis().to_string())
        .set("socket.connection.setup.timeout.ms", timeout.max(Duration::from_secs(1)).as_millis().to_string())
        .set("socket.keepalive.enable", "true")
        // A topic is made on purpose, or not at all: asking for one that is missing must not make it.
        .set("allow.auto.create.topics", "false")
        // A broker that is back is noticed soon.
        .set("reconnect.backoff.max.ms", "1000")
        .set_log_level(RDKafkaLogLevel::Warning);
    if let Some(sasl) = &config.sasl {
        settings
            .set("sasl.mechanism", &sasl.mechanism)
            .set("sasl.username", &sasl.username)
            .set("sasl.password", sasl.password.expose_secret());
    }
    settings
}

/// What fails here is the configuration: nothing is connected yet.
fn create<T: FromClientConfigAndContext<Log>>(settings: &ClientConfig) -> Result<T> {
    settings.create_with_context(Log).map_err(Error::internal)
}

/// Sends librdkafka's own words to our log. A connection that fails is a warning: it is tried again, and what was asked for
/// fails on its own when it has waited too long.
pub struct Log;

impl ClientContext for Log {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(facility, "{message}");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => tracing::warn!(facility, "{message}"),
            _ => tracing::debug!(facility, "{message}"),
        }
    }

    /// What matters of these is logged as well, and without the repetitions; the end of a partition is no error at all.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(error = %error, "{reason}");
    }
}

impl ConsumerContext for Log {}

impl From<KafkaError> for Error {
    fn from(error: KafkaError) -> Self {
        match error {
            KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) | KafkaError::Nul(_) => Self::internal(error),
            _ => Self::unavailable(Dependency::Kafka, error),
        }
    }
}
