//! Stores and queues.

use std::{path::PathBuf, time::Duration};

use secrecy::SecretString;

use crate::config::{ConfigError, FromEnv, optional, parsed, required, secret};

/// The platform database, and settings of connections to the clusters of tenants.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// `POSTGRES_URL`: `postgres://user:password@host:port/database`, with `sslmode=require` for TLS.
    pub url: SecretString,
    /// `POSTGRES_CA_FILE`: a PEM file with additional certificate authorities, such as those of Amazon RDS.
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
    /// The defaults for a URL.
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
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
        let defaults = Self::new(secret("POSTGRES_URL")?);
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

/// The MongoDB server of tenants if there is only one; otherwise see [`super::Clusters`].
#[derive(Debug, Clone)]
pub struct MongoConfig {
    /// `MONGODB_URL`: a connection string.
    pub url: SecretString,
    /// `MONGODB_TIMEOUT_MS` (3000): the deadline for finding a server, for connecting, and for an
    /// operation.
    pub timeout: Duration,
}

impl MongoConfig {
    /// The defaults for a URL.
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self { url: url.into(), timeout: Duration::from_secs(3) }
    }
}

impl MongoConfig {
    /// `MONGODB_TIMEOUT_MS`, for use with the URLs of clusters.
    pub fn timeout_from_env() -> Result<Duration, ConfigError> {
        Ok(Duration::from_millis(parsed("MONGODB_TIMEOUT_MS", 3000)?))
    }
}

impl FromEnv for MongoConfig {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { url: secret("MONGODB_URL")?, timeout: Self::timeout_from_env()? })
    }
}

#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `REDIS_URL`: `redis://` or `rediss://` (TLS).
    pub url: SecretString,
    /// `REDIS_TIMEOUT_MS` (500): the deadline for a connection or an answer. It is short, because Redis holds only data that
    /// may be lost.
    pub timeout: Duration,
}

impl FromEnv for RedisConfig {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { url: secret("REDIS_URL")?, timeout: Duration::from_millis(parsed("REDIS_TIMEOUT_MS", 500)?) })
    }
}

#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// `KAFKA_BROKERS`: `host:port`, several separated by commas.
    pub brokers: String,
    /// `KAFKA_TOPIC` (`platform.tenant-events`).
    pub topic: String,
    /// `KAFKA_SECURITY_PROTOCOL` (`plaintext`): as librdkafka's `security.protocol`.
    pub security_protocol: String,
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
            security_protocol: optional("KAFKA_SECURITY_PROTOCOL").unwrap_or_else(|| "plaintext".to_owned()),
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
}

impl FromEnv for S3Config {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { bucket: required("S3_BUCKET")?, force_path_style: parsed("S3_FORCE_PATH_STYLE", false)? })
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
