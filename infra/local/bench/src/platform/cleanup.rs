//! How a world goes, and everything that was made in it.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use shared::{
    clients::postgres::connect_once,
    config::PostgresConfig,
    counters::messages_key,
    domain::{Month, TenantId},
};
use tokio::time::sleep;
use tokio_postgres::{Client, error::SqlState};
use uuid::Uuid;

use super::{
    World,
    urls::{patient, postgres_database},
};
use crate::Result;

/// How long connections of processes that were ended may take to end too.
const PATIENCE: Duration = Duration::from_secs(10);
/// Keys of Redis that are removed together.
const KEYS: usize = 1000;

/// The queues of a world: those of `provision-tenant`, `measure-usage` and `relay-events`.
pub(super) fn queues(database: &str) -> [String; 3] {
    [database.to_owned(), format!("{database}-measure"), format!("{database}-relay")]
}

/// What was made in a world, outside of its platform database.
#[derive(Default)]
struct Made {
    tenants: Vec<TenantId>,
    /// Those of them that have databases, and their names.
    databases: Vec<(TenantId, String)>,
}

impl World {
    /// Removes all of it.
    pub(crate) async fn remove(mut self) -> Result<()> {
        drop((self.presence.take(), self.provisioning.take()));
        self.clear(&self.database).await
    }

    /// Removes what earlier runs left that were ended by force. What somebody is connected to belongs to a run of now.
    pub(super) async fn sweep(&self) -> Result<()> {
        let idle = "SELECT datname FROM pg_database AS d
                    WHERE starts_with(datname, 'bench_') AND datname <> $1
                      AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.datname = d.datname)";
        for row in self.server.query(idle, &[&self.database]).await? {
            self.clear(row.try_get(0)?).await?;
        }
        Ok(())
    }

    /// Drops a platform database, what its tenants have, and its queues.
    async fn clear(&self, database: &str) -> Result<()> {
        let of =
            |config: &PostgresConfig| postgres_database(config.url.expose_secret(), database).map(|url| patient(&url));
        let made = made(&of(&self.owner)?).await;
        // Tenants' databases belong to the workers.
        let provisioner = connect_once(&of(&self.provisioner)?, None).await;
        for (tenant, name) in &made.databases {
            drop_database(provisioner.as_ref().unwrap_or(&self.server), name).await?;
            self.mongo.database(name).drop().await?;
            self.empty(&tenant.object_prefix()).await?;
        }
        drop(provisioner);
        self.forget(&made.tenants).await?;
        drop_database(&self.server, database).await?;
        for queue in queues(database) {
            if let Ok(queue) = self.sqs.get_queue_url().queue_name(queue).send().await {
                self.sqs.delete_queue().set_queue_url(queue.queue_url).send().await?;
            }
        }
        Ok(())
    }

    /// Deletes the objects under a prefix.
    async fn empty(&self, prefix: &str) -> Result<()> {
        let (client, bucket) = (self.bucket.client().await, &self.bucket.name);
        let found = client.list_objects_v2().bucket(bucket).prefix(prefix).send().await?;
        for object in found.contents() {
            client.delete_object().bucket(bucket).set_key(object.key.clone()).send().await?;
        }
        Ok(())
    }

    /// Deletes the live counters, and the report on health.
    async fn forget(&self, tenants: &[TenantId]) -> Result<()> {
        let month = Month::current();
        for tenants in tenants.chunks(KEYS) {
            let mut delete = redis::cmd("DEL");
            delete.arg("health:latest").arg("health:probing");
            for tenant in tenants {
                delete.arg(messages_key(*tenant, month)).arg(messages_key(*tenant, month.previous()));
            }
            let _: u64 = self.redis.query(&delete).await.map_err(|error| error.chain())?;
        }
        Ok(())
    }
}

async fn made(platform: &PostgresConfig) -> Made {
    const TENANTS: &str = "SELECT id, database_name, postgres_cluster IS NOT NULL FROM organizations";
    let Ok(client) = connect_once(platform, None).await else { return Made::default() };
    let rows = client.query(TENANTS, &[]).await.unwrap_or_default();
    let read = |row: &tokio_postgres::Row| {
        let (id, name, placed): (Uuid, String, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok::<_, tokio_postgres::Error>((TenantId(id), name, placed))
    };
    let rows: Vec<_> = rows.iter().filter_map(|row| read(row).ok()).collect();
    Made {
        tenants: rows.iter().map(|(id, ..)| *id).collect(),
        databases: rows.into_iter().filter(|(.., placed)| *placed).map(|(id, name, _)| (id, name)).collect(),
    }
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
