//! Removal of a platform and of everything that was created on it.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use shared::{
    clients::postgres::connect_once,
    config::PostgresConfig,
    exports,
    types::{Month, TenantId},
    usage::live_counters::messages_key,
};
use tokio::time::sleep;
use tokio_postgres::{Client, error::SqlState};
use uuid::Uuid;

use crate::{
    error::Result,
    platform::{
        stores::StoreClients,
        urls::{patient, postgres_database},
    },
};

/// How long the server may keep connections of processes that have ended.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Tenants whose keys are deleted from Redis by one command.
const TENANTS_PER_DELETE: usize = 1000;

/// The queues of a platform: of `provision-tenant`, `measure-usage` and `relay-events`.
pub(crate) fn queues(database: &str) -> [String; 3] {
    [database.to_owned(), format!("{database}-measure"), format!("{database}-relay")]
}

/// Data of a platform outside of its platform database.
#[derive(Default)]
struct CreatedData {
    tenants: Vec<TenantId>,
    /// The tenants that have databases, and the names of these databases.
    databases: Vec<(TenantId, String)>,
}

/// Removes the platforms of runs that were killed. A database with a connection belongs to a run in progress and is kept.
pub(crate) async fn remove_abandoned(stores: &StoreClients, own: &str) -> Result<()> {
    let abandoned = "SELECT datname FROM pg_database AS d
                     WHERE starts_with(datname, 'bench_') AND datname <> $1
                       AND NOT EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.datname = d.datname)";
    for row in stores.server.query(abandoned, &[&own]).await? {
        remove(stores, row.try_get(0)?).await?;
    }
    Ok(())
}

/// Removes the platform database, the tenants' data, and the queues.
pub(crate) async fn remove(stores: &StoreClients, database: &str) -> Result<()> {
    let of = |config: &PostgresConfig| postgres_database(config.url.expose_secret(), database).map(|url| patient(&url));
    let created = created_data(&of(&stores.owner)?).await;
    // The provisioning workers own the tenants' databases.
    let provisioner = connect_once(&of(&stores.provisioner)?, None).await;
    for (tenant, name) in &created.databases {
        drop_database(provisioner.as_ref().unwrap_or(&stores.server), name).await?;
        stores.mongo.database(name).drop().await?;
        delete_objects(stores, &tenant.object_prefix()).await?;
        delete_objects(stores, &exports::prefix_of_tenant(*tenant)).await?;
    }
    drop(provisioner);
    delete_keys(stores, &created.tenants).await?;
    drop_database(&stores.server, database).await?;
    for queue in queues(database) {
        if let Ok(queue) = stores.sqs.get_queue_url().queue_name(queue).send().await {
            stores.sqs.delete_queue().set_queue_url(queue.queue_url).send().await?;
        }
    }
    Ok(())
}

/// Deletes all versions, because the bucket would keep the gigabytes of exports.
async fn delete_objects(stores: &StoreClients, prefix: &str) -> Result<()> {
    let (client, bucket) = (stores.bucket.client().await, &stores.bucket.name);
    loop {
        let found = client.list_object_versions().bucket(bucket).prefix(prefix).send().await?;
        let versions = found.versions().iter().map(|version| (version.key.clone(), version.version_id.clone()));
        let markers = found.delete_markers().iter().map(|marker| (marker.key.clone(), marker.version_id.clone()));
        for (key, version) in versions.chain(markers) {
            client.delete_object().bucket(bucket).set_key(key).set_version_id(version).send().await?;
        }
        if found.is_truncated != Some(true) {
            return Ok(());
        }
    }
}

/// Deletes the live counters and the latest health sample from Redis.
async fn delete_keys(stores: &StoreClients, tenants: &[TenantId]) -> Result<()> {
    let month = Month::current();
    for tenants in tenants.chunks(TENANTS_PER_DELETE) {
        let mut delete = redis::cmd("DEL");
        delete.arg("health:latest").arg("health:probing");
        for tenant in tenants {
            delete.arg(messages_key(*tenant, month)).arg(messages_key(*tenant, month.previous()));
        }
        let _: u64 = stores.redis.query(&delete).await.map_err(|error| error.chain())?;
    }
    Ok(())
}

/// Empty if the platform database has no tables yet: a run may be killed before its migration.
async fn created_data(platform: &PostgresConfig) -> CreatedData {
    const TENANTS: &str = "SELECT id, database_name, postgres_cluster IS NOT NULL FROM tenants";
    let Ok(client) = connect_once(platform, None).await else { return CreatedData::default() };
    let rows = client.query(TENANTS, &[]).await.unwrap_or_default();
    let read = |row: &tokio_postgres::Row| {
        let (id, name, placed): (Uuid, String, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok::<_, tokio_postgres::Error>((TenantId(id), name, placed))
    };
    let rows: Vec<_> = rows.iter().filter_map(|row| read(row).ok()).collect();
    CreatedData {
        tenants: rows.iter().map(|(id, ..)| *id).collect(),
        databases: rows.into_iter().filter(|(.., placed)| *placed).map(|(id, name, _)| (id, name)).collect(),
    }
}

/// Drops a database once its last connection has ended.
async fn drop_database(client: &Client, name: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        match client.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await {
            Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) && begun.elapsed() < DISCONNECT_TIMEOUT => {
                sleep(Duration::from_millis(50)).await;
            }
            dropped => return Ok(dropped?),
        }
    }
}
