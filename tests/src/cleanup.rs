//! Removes from the servers what tests have created there: databases, objects, queues and topics.
//!
//! Everything that a test creates belongs to its [`World`](crate::World): the name of a platform database, a queue or a topic begins
//! with the world's, and tenants are those in its platform database. A world's name contains the id of its process.
//!
//! When a test ends, also by a panic, its world is removed on another thread, while other tests go on; the last test of a process
//! waits for that. What a killed process has left is removed when the next one starts.

use std::{
    collections::BTreeSet,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use futures::{StreamExt, stream};
use mongodb::bson::doc;
use rdkafka::{admin::AdminOptions, consumer::Consumer, metadata::MetadataTopic};
use shared::{
    clients::{kafka, postgres::connect_once, s3::Bucket},
    config::{FromEnv, KafkaConfig, PostgresConfig, S3Config},
    exports,
};
use tokio::runtime;
use tokio_postgres::Client;

use crate::{
    mongo_logins,
    platform::{config, mongo, owner_of},
};

/// The longest wait of the last test.
const PATIENCE: Duration = Duration::from_mins(2);

const KAFKA_TIMEOUT: Duration = Duration::from_secs(20);

/// Statements on separate connections wait for the same checkpoint.
const CONCURRENCY: usize = 12;

static WORLDS: Mutex<Worlds> = Mutex::new(Worlds { in_use: 0, ended: Vec::new(), is_removing: false });
static REMOVED: Condvar = Condvar::new();

struct Worlds {
    in_use: usize,
    ended: Vec<String>,
    /// Whether a thread removes those that have ended.
    is_removing: bool,
}

/// Keeps a world from being removed.
pub(crate) struct InUse(String);

impl InUse {
    /// The world with this name, of which nothing exists yet.
    pub(crate) fn begin(world: &str) -> Self {
        worlds().in_use += 1;
        Self(world.to_owned())
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut worlds = worlds();
        worlds.in_use -= 1;
        worlds.ended.push(mem::take(&mut self.0));
        if !mem::replace(&mut worlds.is_removing, true) {
            thread::spawn(remove_ended);
        }
        if worlds.in_use == 0 {
            let is_removing = |worlds: &mut Worlds| worlds.is_removing;
            drop(REMOVED.wait_timeout_while(worlds, PATIENCE, is_removing));
        }
    }
}

fn worlds() -> MutexGuard<'static, Worlds> {
    WORLDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the worlds that have ended, several at once, until none is left.
fn remove_ended() {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    loop {
        let ended = {
            let mut worlds = worlds();
            if worlds.ended.is_empty() {
                worlds.is_removing = false;
                REMOVED.notify_all();
                return;
            }
            mem::take(&mut worlds.ended)
        };
        // The panic is printed, and the next process tries again.
        let _panicked = catch_unwind(AssertUnwindSafe(|| runtime.block_on(remove(&ended))));
    }
}

/// Removes the worlds of processes that were killed.
pub(crate) async fn remove_leftovers() {
    let owner = connect_once(&owner_of("postgres"), None).await.unwrap();
    let databases = owner.query("SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'", &[]).await.unwrap();
    let databases = databases.iter().map(|row| row.get::<_, String>(0));
    let queues = queues("test_").await;
    let queues = queues.iter().map(|url| name_of_queue(url).to_owned());
    let names: Vec<String> = databases.chain(queues).chain(topics()).collect();
    let worlds: BTreeSet<String> = names
        .iter()
        .filter_map(|name| name.split('-').next())
        .filter(|world| world.starts_with("test_") && !is_alive(world))
        .map(str::to_owned)
        .collect();
    remove(&Vec::from_iter(worlds)).await;
}

/// Whether the process of a world is running.
fn is_alive(world: &str) -> bool {
    let process = world.split('_').nth(1).and_then(|number| number.parse::<u32>().ok());
    // A world with our own id is of an earlier process with the same id.
    process.is_some_and(|id| id != std::process::id() && Path::new(&format!("/proc/{id}")).exists())
}

async fn remove(worlds: &[String]) {
    if worlds.is_empty() {
        return;
    }
    stream::iter(worlds).for_each_concurrent(CONCURRENCY, |world| remove_tenants(world)).await;
    end_sessions(worlds).await;
    drop_databases(worlds).await;
    for url in queues("test_").await {
        if is_of(worlds, name_of_queue(&url)) {
            let _deleted = crate::queues::client().await.delete_queue().queue_url(&url).send().await;
        }
    }
    let topics: Vec<String> = topics().into_iter().filter(|topic| is_of(worlds, topic)).collect();
    if !topics.is_empty() {
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        let admin = kafka::admin(&KafkaConfig::from_env().unwrap()).unwrap();
        let _deleted = admin.delete_topics(&topics, &AdminOptions::new()).await;
    }
}

fn is_of(worlds: &[String], name: &str) -> bool {
    name.split_once('-').is_some_and(|(world, _)| worlds.iter().any(|one| one == world))
}

/// The URLs of the queues whose names have this beginning.
async fn queues(prefix: &str) -> Vec<String> {
    let listed = crate::queues::client().await.list_queues().queue_name_prefix(prefix).send().await;
    listed.unwrap().queue_urls.unwrap_or_default()
}

fn name_of_queue(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

fn topics() -> Vec<String> {
    let client = kafka::consumer(&KafkaConfig::from_env().unwrap(), kafka::Isolation::Committed).unwrap();
    let metadata = client.fetch_metadata(None, KAFKA_TIMEOUT).unwrap();
    metadata.topics().iter().map(MetadataTopic::name).map(str::to_owned).collect()
}

/// Removes the databases and the objects of a world's tenants, which are found in its database.
async fn remove_tenants(world: &str) {
    let Ok(platform) = connect_once(&owner_of(world), None).await else { return };
    let mongo = mongo().await;
    let mut in_mongo = mongo_logins::databases(&mongo).await.unwrap_or_default();
    in_mongo.extend(mongo.list_database_names().await.unwrap_or_default());
    let in_mongo = Vec::from_iter(in_mongo);
    // There may be a hundred thousand tenants, of which few have databases.
    let sql = "SELECT name, EXISTS (SELECT FROM pg_database WHERE datname = name) FROM tenant_databases
               WHERE name = ANY ($1) OR name IN (SELECT datname FROM pg_database)";
    // A world whose migration was interrupted has no such table.
    let databases = platform.query(sql, &[&in_mongo]).await.unwrap_or_default();
    let databases: Vec<(String, bool)> = databases.iter().map(|row| (row.get(0), row.get(1))).collect();
    let in_postgres: Vec<String> =
        databases.iter().filter(|(_, exists)| *exists).map(|(name, _)| name.clone()).collect();
    end_sessions(&in_postgres).await;
    drop_databases(&in_postgres).await;
    for (name, _) in databases.iter().filter(|(name, _)| in_mongo.contains(name)) {
        let _dropped = mongo.database(name).drop().await;
        let _dropped = mongo.database(name).run_command(doc! { "dropAllRolesFromDatabase": 1 }).await;
        let _dropped = mongo.database("admin").run_command(doc! { "dropUser": name }).await;
    }
    remove_objects(&platform).await;
}

/// Removes the objects of the tenants in a platform database, and the files of their exports.
async fn remove_objects(platform: &Client) {
    let bucket = Bucket::connect(&S3Config::from_env().unwrap()).unwrap();
    let client = bucket.client().await;
    for folder in ["tenants/", exports::PREFIX] {
        let of_tenants = client.list_objects_v2().bucket(&bucket.name).prefix(folder).delimiter("/");
        let mut pages = of_tenants.into_paginator().send();
        while let Some(Ok(page)) = pages.next().await {
            let ids = page.common_prefixes().iter().filter_map(|prefix| prefix.prefix()?.split('/').nth(1));
            let ids: Vec<&str> = ids.collect();
            let own = platform.query("SELECT id::text FROM tenants WHERE id::text = ANY ($1)", &[&ids]).await;
            for row in own.unwrap_or_default() {
                remove_prefix(&bucket, &format!("{folder}{}/", row.get::<_, &str>(0))).await;
            }
        }
    }
}

async fn remove_prefix(bucket: &Bucket, prefix: &str) {
    let client = bucket.client().await;
    let mut pages = client.list_objects_v2().bucket(&bucket.name).prefix(prefix).into_paginator().send();
    while let Some(Ok(page)) = pages.next().await {
        for key in page.contents().iter().filter_map(aws_sdk_s3::types::Object::key) {
            let _deleted = client.delete_object().bucket(&bucket.name).key(key).send().await;
        }
    }
}

/// Ends the sessions in databases. A role may end its own sessions only.
pub(crate) async fn end_sessions(databases: &[String]) {
    let sql = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
               WHERE datname = ANY ($1) AND usename = current_user AND pid <> pg_backend_pid()";
    for login in ["POSTGRES_URL", "POSTGRES_API_URL", "POSTGRES_PROVISIONER_URL"] {
        if let Ok(session) = connect_once(&config(login, "postgres"), None).await {
            let _ended = session.query(sql, &[&databases]).await;
        }
    }
}

async fn drop_databases(names: &[String]) {
    // The first `DROP DATABASE` starts a checkpoint, which writes all recent changes to disk.
    let patient = PostgresConfig { statement_timeout: Duration::from_mins(1), ..owner_of("postgres") };
    stream::iter(names)
        .for_each_concurrent(CONCURRENCY, async |name| {
            if let Ok(session) = connect_once(&patient, None).await
                && let Err(error) = session.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await
            {
                println!("{name} is not removed: {error:?}");
            }
        })
        .await;
}
