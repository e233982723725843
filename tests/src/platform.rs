//! A fresh platform database for each test.

use std::time::Duration;

use futures::{StreamExt, stream};
use mongodb::Client as MongoClient;
use secrecy::SecretString;
use shared::{
    clients::{
        mongo::MongoServer,
        postgres::{Postgres, connect_once},
        redis::Redis,
        tenant_databases::TenantDatabases,
    },
    config::{Clusters, FromEnv, HealthConfig, MongoSettings, PostgresConfig, QueueConfig, RedisConfig},
    health::checks::HealthTargets,
    types::{SuperAdminId, SuperAdminRole},
};
use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{PASSWORD, queues, tokens, variable};

/// The template of all databases of this process. The lock serializes clones, because PostgreSQL requires that.
static TEMPLATE: OnceCell<Mutex<String>> = OnceCell::const_new();

/// The platform of one test: a database and two queues.
pub struct World {
    /// The name of the platform database.
    pub database: String,
    pub provision_queue_url: String,
    pub relay_queue_url: String,
}

impl World {
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

    /// A platform whose database is empty, for a test that migrates it. It has no queues.
    pub async fn empty() -> Self {
        let database = format!("test_{}_{}", std::process::id(), Uuid::now_v7().simple());
        let owner = connect_once(&owner_of("postgres"), None).await.unwrap();
        owner.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
        Self { database, provision_queue_url: String::new(), relay_queue_url: String::new() }
    }

    /// The database as its owner.
    pub fn owner(&self) -> PostgresConfig {
        owner_of(&self.database)
    }

    /// The database with the privileges of the HTTP functions.
    pub fn api(&self) -> PostgresConfig {
        config("POSTGRES_API_URL", &self.database)
    }

    /// The database with the privileges of the workers.
    pub fn provisioner(&self) -> PostgresConfig {
        config("POSTGRES_PROVISIONER_URL", &self.database)
    }

    /// The clusters of tenants, with the privileges of the workers.
    pub fn postgres_clusters(&self) -> Clusters {
        Clusters::single(self.provisioner().url)
    }

    /// A pool with the privileges of the HTTP functions.
    pub fn api_pool(&self) -> Postgres {
        Postgres::connect(&self.api()).unwrap()
    }

    /// The databases of tenants, with the privileges of the HTTP functions.
    pub fn tenant_databases(&self) -> TenantDatabases {
        TenantDatabases::connect(&Clusters::single(self.api().url), &self.api()).unwrap()
    }

    /// The targets of the health probes: this world's database and queues, and the servers of the environment. No services and
    /// providers.
    pub fn health(&self) -> HealthTargets {
        let targets = HealthTargets::from_env().unwrap();
        HealthTargets {
            postgres: self.api(),
            postgres_clusters: Clusters::single(self.api().url),
            redis_prefix: format!("{}:", self.database),
            queues: QueueConfig {
                provision: Some(self.provision_queue_url.clone()),
                relay: Some(self.relay_queue_url.clone()),
                ..QueueConfig::default()
            },
            health: HealthConfig { services: Vec::new(), providers: Vec::new(), ..targets.health },
            ..targets
        }
    }

    /// A connection of the owner, which may read everything.
    pub async fn client(&self) -> Client {
        connect_once(&self.owner(), None).await.unwrap()
    }

    /// A connection of the owner, for statements that write many rows.
    pub async fn patient_client(&self) -> Client {
        let config = PostgresConfig { statement_timeout: Duration::from_mins(5), ..self.owner() };
        connect_once(&config, None).await.unwrap()
    }

    /// Drops the databases of all tenants. Hundreds of them slow MongoDB down, and delay the next run.
    pub async fn drop_tenants(&self) {
        drop_tenants(&self.database).await;
    }

    /// Inserts a super-admin whose password is [`tests::PASSWORD`](crate::PASSWORD), and returns the id.
    pub async fn operator(&self, role: SuperAdminRole) -> SuperAdminId {
        let id = SuperAdminId::generate();
        insert_super_admin(&self.client().await, id, role).await;
        id
    }

    /// The number of rows of a query.
    pub async fn count(&self, sql: &str) -> i64 {
        self.client().await.query_one(&format!("SELECT count(*) FROM ({sql}) AS rows"), &[]).await.unwrap().get(0)
    }
}

async fn insert_super_admin(client: &Client, id: SuperAdminId, role: SuperAdminRole) {
    static HASH: OnceCell<String> = OnceCell::const_new();
    let hash = HASH.get_or_init(async || shared::passwords::hash(PASSWORD).await.unwrap()).await;
    // The e-mail address is unique, because all tests count attempts to sign in in one Redis.
    let email = format!("operator-{}@landlord.example", Uuid::now_v7().simple());
    let insert = "INSERT INTO super_admins (id, email, password_hash, role) VALUES ($1, $2, $3, $4)";
    client.execute(insert, &[&id.0, &email, hash, &role.as_str()]).await.unwrap();
}

/// The MongoDB of tenants.
pub async fn mongo() -> MongoClient {
    let settings = MongoSettings::from_env().unwrap();
    MongoServer::new(&variable("MONGODB_URL").into(), &settings).unwrap().connect().await.unwrap()
}

fn owner_of(database: &str) -> PostgresConfig {
    config("POSTGRES_URL", database)
}

/// A database on the server of the variable `name`.
fn config(name: &str, database: &str) -> PostgresConfig {
    let url = variable(name);
    let (server, rest) = url.rsplit_once('/').expect("the URL names a database");
    let parameters = rest.split_once('?').map(|(_, parameters)| format!("?{parameters}")).unwrap_or_default();
    let url = SecretString::from(format!("{server}/{database}{parameters}"));
    // Many tests at once on a small machine take longer than a function may.
    PostgresConfig { connect_timeout: Duration::from_secs(10), ..PostgresConfig::new(url) }
}

/// Removes the databases of earlier runs, and creates and migrates the template of this run.
async fn make_template() -> Mutex<String> {
    let owner = connect_once(&owner_of("postgres"), None).await.unwrap();
    let leftovers = owner.query("SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'", &[]).await.unwrap();
    for row in leftovers {
        let database: &str = row.get(0);
        if !is_alive(database) {
            clear(&owner, database).await;
        }
    }
    // Attempts to sign in are also counted by address, which is the same for all tests.
    let redis = Redis::connect(&RedisConfig::from_env().unwrap()).unwrap();
    let _counted: i64 = redis.query(redis::cmd("DEL").arg("login:address:127.0.0.1")).await.unwrap();
    let template = format!("test_{}_template", std::process::id());
    owner.batch_execute(&format!("CREATE DATABASE {template}")).await.unwrap();
    let clusters = Clusters::single(owner_of(&template).url);
    migrate_platform::run(&owner_of(&template), &clusters, &migrate_platform::TenantSchema::current(), None)
        .await
        .unwrap();
    let inside = connect_once(&owner_of(&template), None).await.unwrap();
    insert_super_admin(&inside, tokens::OWNER.parse().unwrap(), SuperAdminRole::Owner).await;
    drop(inside);
    Mutex::new(template)
}

/// Whether the process that created a database is still running. Its id is in the name of the database.
fn is_alive(database: &str) -> bool {
    let process = database.split('_').nth(1).and_then(|number| number.parse::<u32>().ok());
    process.is_some_and(|process| {
        // A database with our own id was created by an earlier process with the same id.
        process != std::process::id() && std::path::Path::new(&format!("/proc/{process}")).exists()
    })
}

/// Drops a platform database of an earlier run and the databases of its tenants, except those in use.
async fn clear(owner: &Client, database: &str) {
    drop_tenants(database).await;
    let _in_use = owner.batch_execute(&format!("DROP DATABASE IF EXISTS {database}")).await;
}

/// Drops the databases of all tenants of a platform database, except those in use. Thousands of tenants may have no
/// databases.
async fn drop_tenants(database: &str) {
    // The first `DROP DATABASE` starts a checkpoint, which writes all recent changes to disk.
    let patient = PostgresConfig { statement_timeout: Duration::from_mins(1), ..owner_of(database) };
    let Ok(platform) = connect_once(&patient, None).await else { return };
    let made = "SELECT database_name, EXISTS (SELECT FROM pg_database WHERE datname = database_name) FROM tenants";
    let tenants = platform.query(made, &[]).await.unwrap_or_default();
    let mongo = mongo().await;
    let in_mongo = mongo.list_database_names().await.unwrap_or_default();
    stream::iter(tenants)
        .for_each_concurrent(12, async |row| {
            let (name, in_postgres): (String, bool) = (row.get(0), row.get(1));
            // Each statement waits for a checkpoint. Statements on separate connections wait for the same one.
            if in_postgres && let Ok(own) = connect_once(&patient, None).await {
                let _in_use = own.batch_execute(&format!("DROP DATABASE IF EXISTS {name}")).await;
            }
            if in_mongo.contains(&name) {
                let _in_use = mongo.database(&name).drop().await;
            }
        })
        .await;
}
