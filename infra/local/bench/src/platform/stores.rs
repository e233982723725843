//! Connections to the servers that the environment names.

use std::time::Duration;

use secrecy::ExposeSecret;
use shared::{
    clients::{mongo::MongoServer, postgres::connect_once, redis::Redis, s3::Bucket},
    config::{Clusters, FromEnv, MongoSettings, PostgresConfig, RedisConfig, S3Config},
};
use tokio_postgres::Client;

use crate::{
    error::Result,
    options::BenchOptions,
    platform::urls::{patient, postgres_database, redis_database},
};

pub(crate) struct StoreClients {
    /// The PostgreSQL server, connected to a database that is not the benchmark's.
    pub(crate) server: Client,
    /// The platform database with the privileges of the HTTP functions.
    pub(crate) api: PostgresConfig,
    /// The platform database with the privileges of the provisioning workers.
    pub(crate) provisioner: PostgresConfig,
    /// The platform database with all privileges.
    pub(crate) owner: PostgresConfig,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) mongo: mongodb::Client,
    /// The tenants' bucket.
    pub(crate) bucket: Bucket,
    /// A Redis database that only benchmarks use.
    pub(crate) redis: Redis,
    pub(crate) redis_config: RedisConfig,
}

impl StoreClients {
    /// Connects, and creates the platform database, which is empty.
    pub(crate) async fn create(options: &BenchOptions, database: &str) -> Result<Self> {
        let server = connect_once(&patient(&options.postgres_url), None).await.map_err(|error| error.chain())?;
        server.batch_execute(&format!("CREATE DATABASE {database}")).await?;
        let redis_config = RedisConfig::from_env()?;
        let redis_url = redis_database(redis_config.url.expose_secret());
        let redis_config = RedisConfig { url: redis_url.into(), timeout: Duration::from_secs(10), ..redis_config };
        let mongo = Clusters::mongo_from_env()?.0.swap_remove(0);
        let mongo_server = MongoServer::new(&mongo.url, &MongoSettings::from_env()?)?;
        let of = |url: &str| postgres_database(url, database).map(|url| patient(&url));
        Ok(Self {
            server,
            api: of(options.postgres_api_url.as_ref().unwrap_or(&options.postgres_url))?,
            provisioner: of(options.postgres_provisioner_url.as_ref().unwrap_or(&options.postgres_url))?,
            owner: of(&options.postgres_url)?,
            sqs: aws_sdk_sqs::Client::new(&aws_config::load_from_env().await),
            mongo: mongo_server.connect().await.map_err(|error| error.chain())?,
            bucket: Bucket::connect(&S3Config::from_env()?)?,
            redis: Redis::connect(&redis_config)?,
            redis_config,
        })
    }

    /// Connects to the platform database with all privileges.
    pub(crate) async fn connect_owner(&self) -> Result<Client> {
        Ok(connect_once(&self.owner, None).await.map_err(|error| error.chain())?)
    }
}
