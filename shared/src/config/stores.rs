//! Where the stores and queues are.

use std::{path::PathBuf, time::Duration};

use secrecy::SecretString;

use crate::config::{ConfigError, FromEnv, optional, parsed, required, secret};

/// The platform database, and how to connect to the clusters of tenants.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// `POSTGRES_URL`: `postgres://user:password@host:port/database`, with `sslmode=require` for TLS.
    pub url: SecretString,
    /// `POSTGRES_CA_FILE`: a PEM file of authorities to trust beside the public ones (Amazon RDS has its own).
    pub ca_file: Option<PathBuf>,
    /// `POSTGRES_POOL_SIZE` (4): connections of one process at the most.
    pub pool_size: usize,
    /// `POSTGRES_CONNECT_TIMEOUT_MS` (2000): how long to wait for a connection.
    pub connect_timeout: Duration,
    /// `POSTGRES_STATEMENT_TIMEOUT_MS` (4000): how long a statement may take.
    pub statement_timeout: Duration,
    /// `POSTGRES_TENANT_CONNECTIONS` (8): connections of one process to the databases of tenants on a cluster, at the most.
    pub tenant_connections: usize,
    /// `POSTGRES_TENANT_IDLE_SECONDS` (60): how long such a connection is kept that nobody uses.
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

/// The MongoDB server of tenants, where there is but one; see [`super::Clusters`] for more.
#[derive(Debug, Clone)]
pub struct MongoConfig {
    /// `MONGODB_URL`: a connection string.
    pub url: SecretString,
    /// `MONGODB_TIMEOUT_MS` (3000): how long to look for a server, to connect, and to wait for an operation.
    pub timeout: Duration,
}

impl MongoConfig {
    /// The defaults for a URL.
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self { url: url.into(), timeout: Duration::from_secs(3) }
    }
}

impl MongoConfig {
    /// `MONGODB_TIMEOUT_MS` alone, for those whose URLs are those of clusters.
    pub fn timeout_from_env() -> Result<Duration, ConfigError> {
        Ok(Duration::from_millis(parsed("MONGODB_TIMEOUT_MS", 3000)?))
    }
}

impl FromEnv for MongoConfig {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { url: secret("MONGODB_URL")?, timeout: Self::timeout_from_env()? })
    }
}

/// Redis.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `REDIS_URL`: `redis://` or `rediss://` (TLS).
    pub url: SecretString,
    /// `REDIS_TIMEOUT_MS` (500): how long to wait for a connection or an answer. What is kept there may be lost, so no
    /// request waits long for it.
    pub timeout: Duration,
}

impl FromEnv for RedisConfig {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { url: secret("REDIS_URL")?, timeout: Duration::from_millis(parsed("REDIS_TIMEOUT_MS", 500)?) })
    }
}

/// Kafka.
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
    /// `KAFKA_TIMEOUT_MS` (10000): how long to wait for the brokers.
    pub timeout: Duration,
}

/// How to sign in to Kafka.
#[derive(Debug, Clone)]
pub struct SaslConfig {
    /// As librdkafka's `sasl.mechanism`.
    pub mechanism: String,
    /// The user.
    pub username: String,
    /// The password.
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

/// The bucket of the tenants. Region, credentials and endpoint are the AWS SDK's own variables.
#[derive(Debug, Clone)]
pub struct S3Config {
    /// `S3_BUCKET`.
    pub bucket: String,
    /// `S3_FORCE_PATH_STYLE` (`false`): the bucket in the path and not in the host name, as MinIO wants it.
    pub force_path_style: bool,
}

impl FromEnv for S3Config {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { bucket: required("S3_BUCKET")?, force_path_style: parsed("S3_FORCE_PATH_STYLE", false)? })
    }
}

/// The queues that a function sends to. Region, credentials and endpoint are the AWS SDK's own variables.
#[derive(Debug, Clone, Default)]
pub struct QueueConfig {
    /// `PROVISION_QUEUE_URL`: where operations on tenants wait for `provision-tenant`.
    pub provision: Option<String>,
    /// `RELAY_QUEUE_URL`: where `relay-events` is poked after a commit.
    pub relay: Option<String>,
    /// `MEASURE_QUEUE_URL`: where tenants wait for `measure-usage`.
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
