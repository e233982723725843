//! A platform of the benchmark's own: a database, and queues, on the servers that the environment names. Nothing of it is
//! left afterwards.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use aws_sdk_sqs::types::QueueAttributeName;
use secrecy::ExposeSecret;
use shared::{
    auth::TokenSigner,
    clients::{mongo, postgres::connect_once},
    config::{FromEnv, MongoConfig, PostgresConfig, SigningConfig, TokenConfig},
    domain::AdminId,
};
use tokio::time::sleep;
use tokio_postgres::{Client, error::SqlState};
use uuid::Uuid;

use crate::{Result, Settings, artifacts, runtime::Program};

/// How many tenants there are from the beginning.
pub(crate) const TENANTS: i64 = 10_000;

/// How long connections of processes that were ended may take to end too.
const PATIENCE: Duration = Duration::from_secs(10);

/// What everything is measured in.
pub(crate) struct World {
    target: PathBuf,
    /// The platform database with the rights of the HTTP functions.
    pub(crate) api: PostgresConfig,
    /// The platform database with the rights of the workers.
    pub(crate) provisioner: PostgresConfig,
    owner: PostgresConfig,
    server: Client,
    database: String,
    /// SQS.
    pub(crate) sqs: aws_sdk_sqs::Client,
    /// The queue of `provision-tenant`.
    pub(crate) queue_url: String,
    /// The MongoDB of tenants.
    pub(crate) mongo: mongodb::Client,
    /// A super-admin's bearer token.
    pub(crate) token: String,
}

impl World {
    /// Makes it: a database with [`TENANTS`] tenants, and a queue.
    pub(crate) async fn make(settings: &Settings) -> Result<Self> {
        let database = format!("bench_{}", Uuid::now_v7().simple());
        let server = connect_once(&patient(&settings.postgres_url), None).await.map_err(|error| error.chain())?;
        server.batch_execute(&format!("CREATE DATABASE {database}")).await?;
        let sqs = aws_sdk_sqs::Client::new(&aws_config::load_from_env().await);
        let queue = sqs.create_queue().queue_name(&database).attributes(QueueAttributeName::VisibilityTimeout, "120");
        let queue_url = queue.send().await?.queue_url.ok_or("SQS gave the queue no URL")?;
        let mongo = mongo::connect(&MongoConfig::from_env()?).await.map_err(|error| error.chain())?;
        let signer = TokenSigner::new(&SigningConfig::from_env()?, &TokenConfig::from_env()?)?;
        let token = signer.sign(AdminId::generate()).map_err(|error| error.chain())?.token;
        let of = |url: &str| database_of(url, &database).map(|url| patient(&url));
        let world = Self {
            target: settings.target.clone(),
            api: of(settings.postgres_api_url.as_ref().unwrap_or(&settings.postgres_url))?,
            provisioner: of(settings.postgres_provisioner_url.as_ref().unwrap_or(&settings.postgres_url))?,
            owner: of(&settings.postgres_url)?,
            server,
            sqs,
            queue_url,
            mongo,
            token,
            database,
        };
        let ready = async {
            world.sweep().await?;
            world.fill().await
        };
        match ready.await {
            Ok(()) => Ok(world),
            Err(error) => {
                world.remove().await?;
                Err(error)
            }
        }
    }

    async fn fill(&self) -> Result<()> {
        let migrate = Command::new(artifacts::path(&self.target, "migrate-platform"))
            .env("POSTGRES_URL", self.owner.url.expose_secret())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("migrate-platform cannot be run: {error}"))?;
        if !migrate.status.success() {
            return Err(format!("migrate-platform failed: {}", String::from_utf8_lossy(&migrate.stderr)).into());
        }
        let owner = self.owner().await?;
        owner
            .batch_execute(&format!(
                "INSERT INTO organizations (id, name, slug, status, database_name, schema_version, country, max_agents,
                                            max_contacts, max_messages_month, created_at, updated_at)
                 SELECT id, 'Warung Nomor ' || n, 'warung-' || n, 'active', 'seeded_' || n, 1,
                        (ARRAY['ID', 'SG', 'MY', 'NL'])[1 + n % 4], 10 + n % 50, 10000, NULL, at, at
                 FROM (
                     SELECT n, gen_random_uuid() AS id, now() - n * interval '1 minute' AS at
                     FROM generate_series(1, {TENANTS}) AS n
                 ) AS tenants"
            ))
            .await?;
        owner.batch_execute("VACUUM ANALYZE organizations").await?;
        Ok(())
    }

    /// A connection with every right.
    pub(crate) async fn owner(&self) -> Result<Client> {
        Ok(connect_once(&self.owner, None).await.map_err(|error| error.chain())?)
    }

    /// A function of the platform, or of the floor, in this world.
    pub(crate) fn program(&self, name: &str) -> Program {
        let worker = name == "provision-tenant";
        let postgres = if worker { &self.provisioner } else { &self.api };
        Program {
            name: name.to_owned(),
            path: artifacts::path(&self.target, name),
            variables: vec![
                ("POSTGRES_URL", postgres.url.expose_secret().to_owned()),
                ("PROVISION_QUEUE_URL", self.queue_url.clone()),
                // No relay runs here, so it is not poked.
                ("RELAY_QUEUE_URL", String::new()),
            ],
        }
    }

    /// Removes all of it.
    pub(crate) async fn remove(self) -> Result<()> {
        self.clear(&self.database).await
    }

    /// Removes what earlier runs left that were ended by force. What somebody is connected to belongs to a run of now.
    async fn sweep(&self) -> Result<()> {
        let idle = "SELECT datname FROM pg_database AS d
                    WHERE starts_with(datname, 'bench_') AND datname <> $1
                      AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.datname = d.datname)";
        for row in self.server.query(idle, &[&self.database]).await? {
            self.clear(row.try_get(0)?).await?;
        }
        Ok(())
    }

    /// Drops a platform database, the databases of its tenants, and its queue.
    async fn clear(&self, database: &str) -> Result<()> {
        let of = |config: &PostgresConfig| database_of(config.url.expose_secret(), database).map(|url| patient(&url));
        let made = tenant_databases(&of(&self.owner)?).await;
        // Tenants' databases belong to the workers.
        let provisioner = connect_once(&of(&self.provisioner)?, None).await;
        for name in made {
            drop_database(provisioner.as_ref().unwrap_or(&self.server), &name).await?;
            self.mongo.database(&name).drop().await?;
        }
        drop(provisioner);
        drop_database(&self.server, database).await?;
        if let Ok(queue) = self.sqs.get_queue_url().queue_name(database).send().await {
            self.sqs.delete_queue().set_queue_url(queue.queue_url).send().await?;
        }
        Ok(())
    }
}

/// The databases that were made for the tenants of a platform database.
async fn tenant_databases(platform: &PostgresConfig) -> Vec<String> {
    const MADE: &str = "SELECT database_name FROM organizations WHERE postgres_cluster IS NOT NULL";
    let Ok(client) = connect_once(platform, None).await else { return Vec::new() };
    let rows = client.query(MADE, &[]).await.unwrap_or_default();
    rows.iter().filter_map(|row| row.try_get(0).ok()).collect()
}

/// Drops a database, as soon as those who were connected to it are gone.
async fn drop_database(client: &Client, name: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        match client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await {
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) && begun.elapsed() < PATIENCE => {
                sleep(Duration::from_millis(50)).await;
            }
            dropped => return Ok(dropped?),
        }
    }
}

/// To drop a database takes its time when much is being written.
fn patient(url: &str) -> PostgresConfig {
    PostgresConfig { statement_timeout: Duration::from_mins(1), ..PostgresConfig::new(url) }
}

/// The same server and parameters, another database.
fn database_of(url: &str, database: &str) -> Result<String> {
    let (server, rest) = url.rsplit_once('/').ok_or("POSTGRES_URL names no database")?;
    let parameters = rest.split_once('?').map(|(_, parameters)| format!("?{parameters}")).unwrap_or_default();
    Ok(format!("{server}/{database}{parameters}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_of_the_same_server_keeps_the_parameters() {
        let url = database_of("postgres://me:secret@db.example:5432/landlord?sslmode=require", "bench_1").unwrap();
        assert_eq!(url, "postgres://me:secret@db.example:5432/bench_1?sslmode=require");
    }
}
