//! The configuration of everything that is probed.

use crate::config::{
    Clusters, ConfigError, FromEnv, HealthConfig, KafkaConfig, MongoSettings, PostgresConfig, QueueConfig, RedisConfig,
    S3Config,
};

/// The configuration of everything that is probed.
#[derive(Debug, Clone)]
pub struct HealthTargets {
    /// The platform database.
    pub postgres: PostgresConfig,
    /// The tenants' PostgreSQL clusters.
    pub postgres_clusters: Clusters,
    /// The tenants' MongoDB clusters.
    pub mongo_clusters: Clusters,
    pub mongo: MongoSettings,
    pub redis: RedisConfig,
    /// A prefix of every key in Redis. Empty, unless several platforms share one Redis.
    pub redis_prefix: String,
    pub kafka: KafkaConfig,
    pub s3: S3Config,
    pub queues: QueueConfig,
    pub endpoints: AwsEndpoints,
    /// The deadline, and the URLs of services and providers.
    pub health: HealthConfig,
}

/// Endpoints of AWS services. `None` is the endpoint of the SDK's own configuration.
#[derive(Debug, Clone, Default)]
pub struct AwsEndpoints {
    pub s3: Option<String>,
    pub sqs: Option<String>,
}

impl FromEnv for HealthTargets {
    fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            postgres: PostgresConfig::from_env()?,
            postgres_clusters: Clusters::postgres_from_env()?,
            mongo_clusters: Clusters::mongo_from_env()?,
            mongo: MongoSettings::from_env()?,
            redis: RedisConfig::from_env()?,
            redis_prefix: String::new(),
            kafka: KafkaConfig::from_env()?,
            s3: S3Config::from_env()?,
            queues: QueueConfig::from_env()?,
            endpoints: AwsEndpoints::default(),
            health: HealthConfig::from_env()?,
        })
    }
}
