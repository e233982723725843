//! Kafka, through librdkafka. Each client connects in the background at first use; calls wait no longer than the caller
//! allows. Blocking calls belong on [`tokio::task::spawn_blocking`].

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext,
    admin::AdminClient,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    consumer::{BaseConsumer, ConsumerContext},
    error::KafkaError,
    metadata::Metadata,
    producer::{BaseProducer, DeliveryResult, FutureProducer, Producer as _, ProducerContext},
};
use secrecy::ExposeSecret;

use crate::{
    clients::authorities,
    config::{ConfigError, KafkaConfig},
    error::{Dependency, Error, Result},
};

pub type Producer = FutureProducer<Log>;
/// Reads messages, topics, partitions and offsets.
pub type Consumer = BaseConsumer<Log>;
/// Creates topics.
pub type Admin = AdminClient<Log>;
/// Reads topics and partitions only. In librdkafka each client is a producer or a consumer; a producer does less in the background.
pub type Observer = BaseProducer<Log>;

/// Which messages of transactions a consumer receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Those of committed transactions; a partition ends where its first open transaction begins.
    Committed,
    /// All of them.
    Uncommitted,
}

/// A producer of transactions. Of all producers with one `transactional_id` only the latest to call `init_transactions` can
/// send; that call aborts an open transaction of the earlier ones.
pub fn producer(config: &KafkaConfig, transactional_id: &str) -> Result<Producer> {
    let timeout = config.timeout.as_millis();
    let mut settings = settings(config);
    settings
        .set("transactional.id", transactional_id)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.timeout.ms", timeout.to_string())
        // An abandoned transaction blocks consumers of committed messages for this long.
        .set("transaction.timeout.ms", (timeout * 3).to_string())
        // The partitioner of the Java clients, so that a key has one partition for every client.
        .set("partitioner", "murmur2_random");
    create(&settings)
}

/// A consumer for assigned partitions: it joins no group, commits no offsets, and reports the end of a partition.
pub fn consumer(config: &KafkaConfig, isolation: Isolation) -> Result<Consumer> {
    let mut settings = settings(config);
    settings
        // librdkafka requires a group name even from a consumer that joins none.
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

pub fn admin(config: &KafkaConfig) -> Result<Admin> {
    create(&settings(config))
}

pub fn observer(config: &KafkaConfig) -> Result<Observer> {
    create(&settings(config))
}

/// Checks the file of authorities, which a client reads only when it is created.
pub fn check(config: &KafkaConfig) -> Result<(), ConfigError> {
    match &config.ca_file {
        Some(path) => authorities::read_pem("KAFKA_CA_FILE", path).map(drop),
        None => Ok(()),
    }
}

/// Reads the partitions of a topic. Blocks the thread. The error contains what TLS did not accept, if that is the cause.
pub fn fetch_topic(observer: &Observer, topic: &str, timeout: Duration) -> Result<Metadata> {
    let client = observer.client();
    let fetched = client.fetch_metadata(Some(topic), timeout);
    // Lines of the log wait until they are polled.
    observer.poll(Duration::from_millis(if fetched.is_ok() { 0 } else { 10 }));
    let tls_failure = client.context().take_tls_failure();
    fetched.map_err(|error| match tls_failure {
        Some(reason) => Error::unavailable(Dependency::Kafka, reason),
        None => error.into(),
    })
}

/// Runs a blocking call of librdkafka. The call ends by itself or by its own timeout, even if the returned future is dropped.
pub async fn blocking<T: Send + 'static, E: Into<Error> + Send + 'static>(
    call: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(call).await.map_err(Error::internal)?.map_err(Into::into)
}

/// Drops a client on a thread of its own, because librdkafka first waits for its own threads.
pub fn end_aside<T: Send + 'static>(client: T) {
    // If no thread can be started, the client is dropped here.
    let _thread = thread::Builder::new().spawn(move || drop(client));
}

/// What every client of the brokers needs.
pub fn settings(config: &KafkaConfig) -> ClientConfig {
    let timeout = config.timeout;
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", "landlord")
        .set("security.protocol", &config.security_protocol)
        .set("socket.timeout.ms", timeout.as_millis().to_string())
        .set("socket.connection.setup.timeout.ms", timeout.max(Duration::from_secs(1)).as_millis().to_string())
        .set("socket.keepalive.enable", "true")
        // A query for a missing topic must not create it.
        .set("allow.auto.create.topics", "false")
        // Reconnects soon after a broker has returned.
        .set("reconnect.backoff.max.ms", "1000")
        .set_log_level(RDKafkaLogLevel::Warning);
    if config.security_protocol.ends_with("ssl") {
        trust(&mut settings, config);
    }
    if let Some(sasl) = &config.sasl {
        settings
            .set("sasl.mechanism", &sasl.mechanism)
            .set("sasl.username", &sasl.username)
            .set("sasl.password", sasl.password.expose_secret());
    }
    settings
}

/// TLS with a verified host name, which is librdkafka's default.
fn trust(settings: &mut ClientConfig, config: &KafkaConfig) {
    let location = match &config.ca_file {
        Some(path) => path.display().to_string(),
        // The OpenSSL that is linked into the function does not know where the system keeps its authorities.
        None => "probe".to_owned(),
    };
    settings.set("ssl.ca.location", location);
}

/// Errors are about the configuration, because no connection is opened yet.
fn create<T: FromClientConfigAndContext<Log>>(settings: &ClientConfig) -> Result<T> {
    settings.create_with_context(Log::default()).map_err(Error::internal)
}

/// Forwards librdkafka's log. A failed connection is a warning: librdkafka reconnects, and a pending call fails by its own
/// timeout.
#[derive(Default)]
pub struct Log {
    /// The latest failure of TLS, which the error of a pending call does not contain.
    tls_failure: Mutex<Option<String>>,
}

impl Log {
    /// Takes the failure, so that it does not explain a later error.
    fn take_tls_failure(&self) -> Option<String> {
        self.tls_failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Log {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "FAIL" && message.contains("SSL") {
            *self.tls_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(message.to_owned());
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(facility, "{message}");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => tracing::warn!(facility, "{message}"),
            _ => tracing::debug!(facility, "{message}"),
        }
    }

    /// For debugging only: errors that matter are in the log as well, without repetitions, and the end of a partition is no
    /// error.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(error = %error, "{reason}");
    }
}

impl ConsumerContext for Log {}

impl ProducerContext for Log {
    type DeliveryOpaque = ();

    /// An observer sends nothing.
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

impl From<KafkaError> for Error {
    fn from(error: KafkaError) -> Self {
        match error {
            KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) | KafkaError::Nul(_) => Self::internal(error),
            _ => Self::unavailable(Dependency::Kafka, error),
        }
    }
}
