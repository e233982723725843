//! A platform of the benchmark's own: a database, queues, and keys, on the servers that the environment names. Nothing of it
//! is left afterwards.

mod clear;
mod urls;

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use aws_sdk_sqs::types::QueueAttributeName;
use secrecy::ExposeSecret;
use seed::tenants::Tenants;
use shared::{
    auth::TokenSigner,
    clients::{mongo, postgres::connect_once, redis::Redis, s3::Bucket},
    config::{FromEnv, MongoConfig, PostgresConfig, RedisConfig, S3Config, SigningConfig, TokenConfig},
    domain::AdminId,
};
use tokio::sync::OnceCell;
use tokio_postgres::Client;
use uuid::Uuid;

use self::urls::{patient, postgres_database, redis_database};
use crate::{Result, Settings, artifacts, parts::provisioning::Provisioning, runtime::Program};

/// How many tenants there are from the beginning.
pub(crate) const TENANTS: usize = 10_000;

/// What everything is measured in.
pub(crate) struct World {
    settings: Settings,
    /// How many tenants there were from the beginning.
    pub(crate) tenants: usize,
    /// The platform database with the rights of the HTTP functions.
    pub(crate) api: PostgresConfig,
    /// The platform database with the rights of the workers.
    pub(crate) provisioner: PostgresConfig,
    /// The platform database with every right.
    pub(crate) owner: PostgresConfig,
    server: Client,
    /// Shows that the database is in use.
    presence: Option<Client>,
    database: String,
    /// SQS.
    pub(crate) sqs: aws_sdk_sqs::Client,
    /// The queue of `provision-tenant`.
    pub(crate) queue_url: String,
    /// The queue of `measure-usage`.
    pub(crate) measure_queue_url: String,
    /// The queue of `relay-events`.
    pub(crate) relay_queue_url: String,
    /// The MongoDB of tenants.
    pub(crate) mongo: mongodb::Client,
    /// The tenants' bucket.
    pub(crate) bucket: Bucket,
    /// A database of Redis that nothing else uses.
    pub(crate) redis: Redis,
    redis_config: RedisConfig,
    /// A super-admin's bearer token.
    pub(crate) token: String,
    provisioning: OnceCell<Provisioning>,
}

impl World {
    /// Makes it: a database with so many tenants and their usage, and queues.
    pub(crate) async fn make(settings: &Settings, tenants: usize) -> Result<Self> {
        let database = format!("bench_{}", Uuid::now_v7().simple());
        let server = connect_once(&patient(&settings.postgres_url), None).await.map_err(|error| error.chain())?;
        server.batch_execute(&format!("CREATE DATABASE {database}")).await?;
        let sqs = aws_sdk_sqs::Client::new(&aws_config::load_from_env().await);
        let queue = async |name: &str| -> Result<String> {
            let queue = sqs.create_queue().queue_name(name).attributes(QueueAttributeName::VisibilityTimeout, "120");
            Ok(queue.send().await?.queue_url.ok_or("SQS gave the queue no URL")?)
        };
        let [provision, measure, relay] = clear::queues(&database);
        let (queue_url, measure_queue_url) = (queue(&provision).await?, queue(&measure).await?);
        let relay_queue_url = queue(&relay).await?;
        let mongo = mongo::connect(&MongoConfig::from_env()?).await.map_err(|error| error.chain())?;
        let redis_config = RedisConfig::from_env()?;
        let redis_url = redis_database(redis_config.url.expose_secret());
        let redis_config = RedisConfig { url: redis_url.into(), timeout: Duration::from_secs(10) };
        let signer = TokenSigner::new(&SigningConfig::from_env()?, &TokenConfig::from_env()?)?;
        let admin = AdminId::generate();
        let token = signer.sign(admin, 0).map_err(|error| error.chain())?.access_token;
        let of = |url: &str| postgres_database(url, &database).map(|url| patient(&url));
        let mut world = Self {
            settings: settings.clone(),
            tenants,
            api: of(settings.postgres_api_url.as_ref().unwrap_or(&settings.postgres_url))?,
            provisioner: of(settings.postgres_provisioner_url.as_ref().unwrap_or(&settings.postgres_url))?,
            owner: of(&settings.postgres_url)?,
            server,
            presence: None,
            sqs,
            queue_url,
            measure_queue_url,
            relay_queue_url,
            mongo,
            bucket: Bucket::connect(&S3Config::from_env()?),
            redis: Redis::connect(&redis_config)?,
            redis_config,
            token,
            provisioning: OnceCell::new(),
            database,
        };
        let ready = async {
            world.presence = Some(world.owner().await?);
            world.sweep().await?;
            world.fill(admin).await
        };
        match ready.await {
            Ok(()) => Ok(world),
            Err(error) => {
                world.remove().await?;
                Err(error)
            }
        }
    }

    /// The functions that make tenants, started when they are first needed.
    pub(crate) async fn provisioning(&self) -> Result<&Provisioning> {
        self.provisioning.get_or_try_init(|| Provisioning::start(self)).await
    }

    /// Another one beside it, with another number of tenants.
    pub(crate) async fn another(&self, tenants: usize) -> Result<Self> {
        Box::pin(Self::make(&self.settings, tenants)).await
    }

    async fn fill(&self, admin: AdminId) -> Result<()> {
        let migrate = Command::new(artifacts::path(&self.settings.target, "migrate-platform"))
            .env("POSTGRES_URL", self.owner.url.expose_secret())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("migrate-platform cannot be run: {error}"))?;
        if !migrate.status.success() {
            return Err(format!("migrate-platform failed: {}", String::from_utf8_lossy(&migrate.stderr)).into());
        }
        self.enrol(admin).await?;
        let wanted = Tenants { count: self.tenants, history: false };
        let filled = seed::tenants::fill(&mut self.owner().await?, Some(&self.redis), wanted, drop).await;
        filled.map_err(|error| error.chain())?;
        Ok(())
    }

    async fn enrol(&self, admin: AdminId) -> Result<()> {
        let insert = "INSERT INTO super_admins (id, email, password_hash, role) VALUES ($1, $2, '-', 'owner')";
        self.owner().await?.execute(insert, &[&admin.0, &format!("{admin}@landlord.example")]).await?;
        Ok(())
    }

    /// Another owner's bearer token.
    pub(crate) async fn another_owner(&self) -> Result<String> {
        let admin = AdminId::generate();
        self.enrol(admin).await?;
        let signer = TokenSigner::new(&SigningConfig::from_env()?, &TokenConfig::from_env()?)?;
        Ok(signer.sign(admin, 0).map_err(|error| error.chain())?.access_token)
    }

    /// A connection with every right.
    pub(crate) async fn owner(&self) -> Result<Client> {
        Ok(connect_once(&self.owner, None).await.map_err(|error| error.chain())?)
    }

    /// `host:port` of object storage, which requests are counted in front of.
    pub(crate) fn s3_address(&self) -> Result<&str> {
        let endpoint = self.settings.s3_endpoint.as_deref().unwrap_or_default();
        let address = endpoint.strip_prefix("http://").map(|address| address.trim_end_matches('/'));
        Ok(address.ok_or("requests can only be counted where AWS_ENDPOINT_URL_S3 is an http:// address")?)
    }

    /// A function of the platform, or of the floor, in this world.
    pub(crate) fn program(&self, name: &str) -> Program {
        let worker = name == "provision-tenant";
        let postgres = if worker { &self.provisioner } else { &self.api };
        Program {
            name: name.to_owned(),
            path: artifacts::path(&self.settings.target, name),
            variables: vec![
                ("POSTGRES_URL", postgres.url.expose_secret().to_owned()),
                ("REDIS_URL", self.redis_config.url.expose_secret().to_owned()),
                ("PROVISION_QUEUE_URL", self.queue_url.clone()),
                ("MEASURE_QUEUE_URL", self.measure_queue_url.clone()),
                // No relay runs here, so it is not poked.
                ("RELAY_QUEUE_URL", String::new()),
            ],
        }
    }
}
