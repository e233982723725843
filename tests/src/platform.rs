//! A fresh platform database for each test.

use std::time::Duration;

use futures::{StreamExt, stream};
use mongodb::Client as MongoClient;
use secrecy::SecretString;
use shared::{
    clients::{
        postgres::{Postgres, connect_once},
        redis::Redis,
    },
    config::{Clusters, FromEnv, HealthConfig, MongoConfig, PostgresConfig, QueueConfig, RedisConfig},
    health::Sources,
    types::{SuperAdminId, SuperAdminRole},
};
use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{PASSWORD, queues, tokens, variable};

/// The database that all others of this process are cloned from; the lock keeps clones in turn, as PostgreSQL wants.
static TEMPLATE: OnceCell<Mutex<String>> = OnceCell::const_new();

/// One test's platform: a database and two queues that nobody else uses.
pub struct World {
    /// Name of the platform database.
    pub database: String,
    /// URL of a queue like that of `provision-tenant`.
    pub provision_queue_url: String,
    /// URL of a queue like that of `relay-events`.
    pub relay_queue_url: String,
}

impl World {
    /// Makes one.
    pub async fn new() -> Self {
        let template = TEMPLATE.get_or_init(make_template).await.lock().await;
        let database = format!("test_{}_{}", std::process::id(), Uuid::now_v7().simple());
        let owner = connect_once(&owner_of("postgres"), None).await.unwrap();
        owner.batch_execute(&format!("CREATE DATABASE {database} TEMPLATE {template}")).await.unwrap();
        drop(template);
        let (provision_queue_url, relay_queue_url) =
            tokio::join!(queues::create(&database, "provision"), queues::create(&database, "relay"));
        Self { database, provision_queue_url, relay_queue_url }
    }

    /// The database as its owner.
    pub fn owner(&self) -> PostgresConfig {
        owner_of(&self.database)
    }

    /// The database with the rights of the HTTP functions, and no more.
    pub fn api(&self) -> PostgresConfig {
        config("POSTGRES_API_URL", &self.database)
    }

    /// The database with the rights of the workers, and no more.
    pub fn provisioner(&self) -> PostgresConfig {
        config("POSTGRES_PROVISIONER_URL", &self.database)
    }

    /// The clusters of tenants, with the rights of the workers.
    pub fn postgres_clusters(&self) -> Clusters {
        Clusters::single(self.provisioner().url)
    }

    /// A pool with the rights of the HTTP functions.
    pub fn api_pool(&self) -> Postgres {
        Postgres::connect(&self.api()).unwrap()
    }

    /// What health looks at: this world's database and queues, and the servers that the environment names. Of services and
    /// providers, none.
    pub fn health(&self) -> Sources {
        let sources = Sources::from_env().unwrap();
        Sources {
            postgres: self.api(),
            postgres_clusters: Clusters::single(self.api().url),
            redis_prefix: format!("{}:", self.database),
            queues: QueueConfig {
                provision: Some(self.provision_queue_url.clone()),
                relay: Some(self.relay_queue_url.clone()),
                ..QueueConfig::default()
            },
            health: HealthConfig { services: Vec::new(), providers: Vec::new(), ..sources.health },
            ..sources
        }
    }

    /// A connection of the owner, to look at everything.
    pub async fn client(&self) -> Client {
        connect_once(&self.owner(), None).await.unwrap()
    }

    /// Drops the databases of all tenants: hundreds of them make MongoDB slow, and the next run wait until they are gone.
    pub async fn drop_tenants(&self) {
        drop_tenants(&self.database).await;
    }

    /// Another operator, who signs in with [`tests::PASSWORD`](crate::PASSWORD): their id.
    pub async fn operator(&self, role: SuperAdminRole) -> SuperAdminId {
        let id = SuperAdminId::generate();
        insert_operator(&self.client().await, id, role).await;
        id
    }

    /// The one number that a query gives.
    pub async fn count(&self, sql: &str) -> i64 {
        self.client().await.query_one(&format!("SELECT count(*) FROM ({sql}) AS rows"), &[]).await.unwrap().get(0)
    }
}

async fn insert_operator(client: &Client, id: SuperAdminId, role: SuperAdminRole) {
    static HASH: OnceCell<String> = OnceCell::const_new();
    let hash = HASH.get_or_init(async || shared::passwords::hash(PASSWORD).await.unwrap()).await;
    // The e-mail is one that no other test uses, as attempts to sign in are counted in the one Redis.
    let email = format!("operator-{}@landlord.example", Uuid::now_v7().simple());
    let insert = "INSERT INTO super_admins (id, email, password_hash, role) VALUES ($1, $2, $3, $4)";
    client.execute(insert, &[&id.0, &email, hash, &role.as_str()]).await.unwrap();
}

/// The MongoDB of tenants.
pub async fn mongo() -> MongoClient {
    shared::clients::mongo::connect(&MongoConfig::from_env().unwrap()).await.unwrap()
}

fn owner_of(database: &str) -> PostgresConfig {
    config("POSTGRES_URL", database)
}

/// The server of `name`, another database.
fn config(name: &str, database: &str) -> PostgresConfig {
    let url = variable(name);
    let (server, rest) = url.rsplit_once('/').expect("the URL names a database");
    let parameters = rest.split_once('?').map(|(_, parameters)| format!("?{parameters}")).unwrap_or_default();
    let url = SecretString::from(format!("{server}/{database}{parameters}"));
    // Many tests at once on a small machine are slower than a function may ever be.
    PostgresConfig { connect_timeout: Duration::from_secs(10), ..PostgresConfig::new(url) }
}

/// Clears away what earlier runs left, and makes and migrates the database that this run clones.
async fn make_template() -> Mutex<String> {
    let owner = connect_once(&owner_of("postgres"), None).await.unwrap();
    let leftovers = owner.query("SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'", &[]).await.unwrap();
    for row in leftovers {
        let database: &str = row.get(0);
        if !is_alive(database) {
            clear(&owner, database).await;
        }
    }
    // Attempts to sign in are counted by address too, and all tests of a quarter of an hour come from the same.
    let redis = Redis::connect(&RedisConfig::from_env().unwrap()).unwrap();
    let _counted: i64 = redis.query(redis::cmd("DEL").arg("login:address:127.0.0.1")).await.unwrap();
    let template = format!("test_{}_template", std::process::id());
    owner.batch_execute(&format!("CREATE DATABASE {template}")).await.unwrap();
    let clusters = Clusters::single(owner_of(&template).url);
    migrate_platform::run(&owner_of(&template), &clusters, &migrate_platform::TenantSchema::current(), None)
        .await
        .unwrap();
    let inside = connect_once(&owner_of(&template), None).await.unwrap();
    insert_operator(&inside, tokens::OWNER.parse().unwrap(), SuperAdminRole::Owner).await;
    drop(inside);
    Mutex::new(template)
}

/// Whether the process that made a database, whose number is in its name, is still running its tests.
fn is_alive(database: &str) -> bool {
    let process = database.split('_').nth(1).and_then(|number| number.parse::<u32>().ok());
    process.is_some_and(|process| {
        // One with our own number was made by another process, which had it before.
        process != std::process::id() && std::path::Path::new(&format!("/proc/{process}")).exists()
    })
}

/// Drops a platform database of an earlier run, and the databases of its tenants. What is in use stays.
async fn clear(owner: &Client, database: &str) {
    drop_tenants(database).await;
    let _in_use = owner.batch_execute(&format!("DROP DATABASE IF EXISTS {database}")).await;
}

/// Drops the databases of all tenants of a platform database. What is in use stays. There may be thousands of tenants that
/// never had any.
async fn drop_tenants(database: &str) {
    // The first brings everything to disk that was written lately.
    let patient = PostgresConfig { statement_timeout: Duration::from_mins(1), ..owner_of(database) };
    let Ok(platform) = connect_once(&patient, None).await else { return };
    let made = "SELECT database_name, EXISTS (SELECT FROM pg_database WHERE datname = database_name) FROM tenants";
    let tenants = platform.query(made, &[]).await.unwrap_or_default();
    let mongo = mongo().await;
    let in_mongo = mongo.list_database_names().await.unwrap_or_default();
    stream::iter(tenants)
        .for_each_concurrent(12, async |row| {
            let (name, in_postgres): (String, bool) = (row.get(0), row.get(1));
            // Each waits for a checkpoint. Those that wait on connections of their own wait for the same one.
            if in_postgres && let Ok(own) = connect_once(&patient, None).await {
                let _in_use = own.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await;
            }
            if in_mongo.contains(&name) {
                let _in_use = mongo.database(&name).drop().await;
            }
        })
        .await;
}
