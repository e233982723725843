//! Stores and queues.

use std::{path::PathBuf, time::Duration};

use secrecy::{ExposeSecret, SecretString};

use crate::config::{Cluster, ConfigError, FromEnv, encryption, optional, parsed, required, secret};

/// The platform database, and settings of connections to the clusters of tenants.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// `POSTGRES_URL`: `postgres://user:password@host:port/database`. Lambda requires `sslmode=require`, `verify-ca` or
    /// `verify-full`, which are the same here: the server's certificate and host name are always verified. `sslrootcert` is the
    /// path of a file like `POSTGRES_CA_FILE`, for this URL only.
    pub url: SecretString,
    /// The variable that contains `url`, for errors.
    pub variable: &'static str,
    /// `POSTGRES_CA_FILE`: a PEM file with certificate authorities that are trusted in addition to Mozilla's and those of
    /// Amazon's databases.
    pub ca_file: Option<PathBuf>,
    /// `POSTGRES_POOL_SIZE` (4): the maximum number of connections of one process.
    pub pool_size: usize,
    /// `POSTGRES_CONNECT_TIMEOUT_MS` (2000): the deadline for a connection.
    pub connect_timeout: Duration,
    /// `POSTGRES_STATEMENT_TIMEOUT_MS` (4000): the deadline of a statement.
    pub statement_timeout: Duration,
    /// `POSTGRES_TENANT_CONNECTIONS` (8): the maximum number of connections of one process to the databases of tenants on a
    /// cluster.
    pub tenant_connections: usize,
    /// `POSTGRES_TENANT_IDLE_SECONDS` (60): after which time such a connection is closed if it is unused.
    pub tenant_idle: Duration,
}

impl PostgresConfig {
    const VARIABLE: &str = "POSTGRES_URL";

    /// The settings for a cluster: its URL, and everything else from here.
    #[must_use]
    pub fn of_cluster(&self, cluster: &Cluster) -> Self {
        Self { url: cluster.url.clone(), variable: cluster.variable, ..self.clone() }
    }

    /// The defaults for a URL.
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            variable: Self::VARIABLE,
            ca_file: None,
            pool_size: 4,
            connect_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(4),
            tenant_connections: 8,
            tenant_idle: Duration::from_mins(1),
        }
    }
}

impl FromEnv for PostgresConfig {
    fn from_env() -> Result<Self, ConfigError> {
        let defaults = Self::new(secret(Self::VARIABLE)?);
        encryption::require_tls(Self::VARIABLE, encryption::postgres_problem(defaults.url.expose_secret()))?;
        Ok(Self {
            ca_file: optional("POSTGRES_CA_FILE").map(PathBuf::from),
            pool_size: parsed("POSTGRES_POOL_SIZE", defaults.pool_size)?,
            connect_timeout: Duration::from_millis(parsed("POSTGRES_CONNECT_TIMEOUT_MS", 2000)?),
            statement_timeout: Duration::from_millis(parsed("POSTGRES_STATEMENT_TIMEOUT_MS", 4000)?),
            tenant_connections: parsed("POSTGRES_TENANT_CONNECTIONS", defaults.tenant_connections)?,
            tenant_idle: Duration::from_secs(parsed("POSTGRES_TENANT_IDLE_SECONDS", 60)?),
            ..defaults
        })
    }
}

/// Settings of connections to MongoDB.
#[derive(Debug, Clone)]
pub struct MongoSettings {
    /// `MONGODB_CA_FILE`: a PEM file with the certificate authorities that are trusted instead of Mozilla's (for Amazon DocumentDB,
    /// instead of Amazon's). `tlsCAFile` in a URL does the same for that URL.
    pub ca_file: Option<PathBuf>,
    /// `MONGODB_TIMEOUT_MS` (3000): the deadline for finding a server, for connecting, and for an operation.
    pub timeout: Duration,
}

impl FromEnv for MongoSettings {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            ca_file: optional("MONGODB_CA_FILE").map(PathBuf::from),
            timeout: Duration::from_millis(parsed("MONGODB_TIMEOUT_MS", 3000)?),
        })
    }
}

#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `REDIS_URL`: `rediss://`, or `redis://` without TLS, which Lambda refuses.
    pub url: SecretString,
    /// `REDIS_CA_FILE`: a PEM file with the certificate authorities that are trusted instead of Mozilla's.
    pub ca_file: Option<PathBuf>,
    /// `REDIS_TIMEOUT_MS` (500): the deadline for a connection or an answer. It is short, because Redis holds only data that
    /// may be lost.
    pub timeout: Duration,
}

impl FromEnv for RedisConfig {
    fn from_env() -> Result<Self, ConfigError> {
        const URL: &str = "REDIS_URL";
        let url = secret(URL)?;
        encryption::require_tls(URL, encryption::redis_problem(url.expose_secret()))?;
        let timeout = Duration::from_millis(parsed("REDIS_TIMEOUT_MS", 500)?);
        Ok(Self { url, ca_file: optional("REDIS_CA_FILE").map(PathBuf::from), timeout })
    }
}

#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// `KAFKA_BROKERS`: `host:port`, several separated by commas.
    pub brokers: String,
    /// `KAFKA_TOPIC` (`platform.tenant-events`).
    pub topic: String,
    /// `KAFKA_ACKNOWLEDGEMENTS_TOPIC` (`platform.acknowledgements`): where services confirm suspensions.
    pub acknowledgements_topic: String,
    /// `KAFKA_SECURITY_PROTOCOL` (`plaintext`): as librdkafka's `security.protocol`. Lambda requires `ssl` or `sasl_ssl`.
    pub security_protocol: String,
    /// `KAFKA_CA_FILE`: a PEM file with the certificate authorities that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// `KAFKA_SASL_MECHANISM`, with `KAFKA_SASL_USERNAME` and `KAFKA_SASL_PASSWORD`.
    pub sasl: Option<SaslConfig>,
    /// `KAFKA_TIMEOUT_MS` (10000): the deadline of calls to the brokers.
    pub timeout: Duration,
}

/// The credentials for Kafka.
#[derive(Debug, Clone)]
pub struct SaslConfig {
    /// As librdkafka's `sasl.mechanism`.
    pub mechanism: String,
    pub username: String,
    pub password: SecretString,
}

impl FromEnv for KafkaConfig {
    fn from_env() -> Result<Self, ConfigError> {
        const PROTOCOL: &str = "KAFKA_SECURITY_PROTOCOL";
        let security_protocol = optional(PROTOCOL).unwrap_or_else(|| "plaintext".to_owned()).to_ascii_lowercase();
        let encrypted = ["ssl", "sasl_ssl"].contains(&security_protocol.as_str());
        encryption::require_tls(PROTOCOL, (!encrypted).then_some("use `sasl_ssl` or `ssl`"))?;
        let sasl = match optional("KAFKA_SASL_MECHANISM") {
            None => None,
            Some(mechanism) => Some(SaslConfig {
                mechanism,
                username: required("KAFKA_SASL_USERNAME")?,
                password: secret("KAFKA_SASL_PASSWORD")?,
            }),
        };
        Ok(Self {
            brokers: required("KAFKA_BROKERS")?,
            topic: optional("KAFKA_TOPIC").unwrap_or_else(|| "platform.tenant-events".to_owned()),
            acknowledgements_topic: optional("KAFKA_ACKNOWLEDGEMENTS_TOPIC")
                .unwrap_or_else(|| "platform.acknowledgements".to_owned()),
            security_protocol,
            ca_file: optional("KAFKA_CA_FILE").map(PathBuf::from),
            sasl,
            timeout: Duration::from_millis(parsed("KAFKA_TIMEOUT_MS", 10_000)?),
        })
    }
}

/// The bucket of the tenants. Region, credentials and endpoint come from the AWS SDK's own variables.
#[derive(Debug, Clone)]
pub struct S3Config {
    /// `S3_BUCKET`.
    pub bucket: String,
    /// `S3_FORCE_PATH_STYLE` (`false`): the name of the bucket in the path instead of the host name, as MinIO
    /// requires.
    pub force_path_style: bool,
    /// `AWS_CA_BUNDLE`: a PEM file with the certificate authorities that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
}

impl FromEnv for S3Config {
    fn from_env() -> Result<Self, ConfigError> {
        const ENDPOINT: &str = "AWS_ENDPOINT_URL_S3";
        let plaintext = optional(ENDPOINT).is_some_and(|url| !url.trim().starts_with("https://"));
        encryption::require_tls(ENDPOINT, plaintext.then_some("use `https://`"))?;
        Ok(Self {
            bucket: required("S3_BUCKET")?,
            force_path_style: parsed("S3_FORCE_PATH_STYLE", false)?,
            ca_file: optional("AWS_CA_BUNDLE").map(PathBuf::from),
        })
    }
}

/// The queues that a function sends to. Region, credentials and endpoint come from the AWS SDK's own variables.
#[derive(Debug, Clone, Default)]
pub struct QueueConfig {
    /// `PROVISION_QUEUE_URL`: the queue of `provision-tenant`.
    pub provision: Option<String>,
    /// `RELAY_QUEUE_URL`: the queue of `relay-events`, which is poked after a commit.
    pub relay: Option<String>,
    /// `MEASURE_QUEUE_URL`: the queue of `measure-usage`.
    pub measure: Option<String>,
}

impl FromEnv for QueueConfig {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            provision: optional("PROVISION_QUEUE_URL"),
            relay: optional("RELAY_QUEUE_URL"),
            measure: optional("MEASURE_QUEUE_URL"),
        })
    }
}
