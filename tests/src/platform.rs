//! A fresh platform database for each test.

use std::{panic::resume_unwind, sync::OnceLock, thread, time::Duration};

use mongodb::Client as MongoClient;
use secrecy::SecretString;
use shared::{
    clients::{
        mongo::MongoServer,
        postgres::{Postgres, connect_once},
        redis::Redis,
        tenant_databases::TenantDatabases,
    },
    config::{Clusters, FromEnv, HealthConfig, KafkaConfig, MongoSettings, PostgresConfig, QueueConfig, RedisConfig},
    health::checks::HealthTargets,
    types::{SuperAdminId, SuperAdminRole},
};
use tokio::{
    runtime,
    sync::{Mutex, OnceCell},
};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    PASSWORD,
    cleanup::{self, InUse},
    consistency, queues, tokens, variable,
};

/// The template of all databases of this process. The lock serializes clones, because PostgreSQL requires that.
static TEMPLATE: OnceCell<Mutex<String>> = OnceCell::const_new();

/// The platform of one test: a database and two queues.
pub struct World {
    /// The name of the platform database.
    pub database: String,
    pub provision_queue_url: String,
    pub relay_queue_url: String,
    /// Why it is not checked when the test ends.
    contradicts: OnceLock<&'static str>,
    /// `None` in another process than that of the test.
    in_use: Option<InUse>,
}

/// Nothing may contradict when a test ends, whatever it did: see [`consistency`].
impl Drop for World {
    fn drop(&mut self) {
        if self.in_use.is_none() || self.contradicts.get().is_some() || thread::panicking() {
            return;
        }
        let platform = self.owner();
        let check = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(consistency::require(&platform));
        });
        if let Err(panic) = check.join() {
            resume_unwind(panic);
        }
    }
}

impl World {
    pub async fn new() -> Self {
        let template = TEMPLATE.get_or_init(make_template).await.lock().await;
        let (database, in_use) = Self::begin();
        let owner = connect_once(&owner_of("postgres"), None).await.unwrap();
        owner.batch_execute(&format!("CREATE DATABASE {database} TEMPLATE {template}")).await.unwrap();
        drop(template);
        let (provision_queue_url, relay_queue_url) =
            tokio::join!(queues::create(&database, "provision"), queues::create(&database, "relay"));
        Self { database, provision_queue_url, relay_queue_url, contradicts: OnceLock::new(), in_use: Some(in_use) }
    }

    /// The name of a world that does not exist yet.
    fn begin() -> (String, InUse) {
        let name = format!("test_{}_{}", std::process::id(), Uuid::now_v7().simple());
        let in_use = InUse::begin(&name);
        (name, in_use)
    }

    /// The platform of a test in another process, which removes it.
    pub fn of_another_process(database: String, provision_queue_url: String, relay_queue_url: String) -> Self {
        Self { database, provision_queue_url, relay_queue_url, contradicts: OnceLock::new(), in_use: None }
    }

    /// A platform whose database is empty, for a test that migrates it. It has no queues.
    pub async fn empty() -> Self {
        let (database, in_use) = Self::begin();
        let owner = connect_once(&owner_of("postgres"), None).await.unwrap();
        owner.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
        let (provision_queue_url, relay_queue_url) = Default::default();
        let contradicts = OnceLock::from("it may have no tables");
        Self { database, provision_queue_url, relay_queue_url, contradicts, in_use: Some(in_use) }
    }

    /// The test leaves a state that no use case creates.
    pub fn leaves_contradictions(&self, reason: &'static str) {
        let _already = self.contradicts.set(reason);
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

    /// A topic of this world, which does not exist yet.
    pub fn topic(&self) -> KafkaConfig {
        let topic = format!("{}-{}", self.database, Uuid::now_v7().simple());
        let acknowledgements_topic = format!("{topic}-acknowledgements");
        KafkaConfig { topic, acknowledgements_topic, ..KafkaConfig::from_env().unwrap() }
    }

    /// Inserts a super-admin whose password is [`tests::PASSWORD`](crate::PASSWORD), and returns the id.
    pub async fn operator(&self, role: SuperAdminRole) -> SuperAdminId {
        let id = SuperAdminId::generate();
        insert_super_admin(&self.client().await, id, role).await;
        id
    }

    /// Leaves the circuit breakers closed. Otherwise the faults of some operations of a test make others wait.
    pub async fn ignore_breakers(&self) {
        let ignore = "CREATE FUNCTION ignore_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER ignored BEFORE INSERT ON store_breakers FOR EACH ROW EXECUTE FUNCTION ignore_row()";
        self.client().await.batch_execute(ignore).await.unwrap();
    }

    /// The effect of [`Self::ignore_breakers`] ends.
    pub async fn use_breakers(&self) {
        self.client().await.batch_execute("DROP TRIGGER ignored ON store_breakers").await.unwrap();
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

/// A session of the owner in a database of the platform's server, for statements that take long.
pub async fn connect_as_owner(database: &str) -> Client {
    let patient = PostgresConfig { statement_timeout: Duration::from_mins(1), ..owner_of(database) };
    connect_once(&patient, None).await.unwrap()
}

/// Copies a database, whose sessions are ended.
pub async fn copy_database(from: &str, to: &str) {
    end_sessions_in(from).await;
    connect_as_owner("postgres").await.batch_execute(&format!("CREATE DATABASE {to} TEMPLATE {from}")).await.unwrap();
}

/// Replaces a database by another one, as after a restore from a backup.
pub async fn replace_database(name: &str, by: &str) {
    end_sessions_in(name).await;
    let owner = connect_as_owner("postgres").await;
    owner.batch_execute(&format!("DROP DATABASE {name}")).await.unwrap();
    owner.batch_execute(&format!("ALTER DATABASE {by} RENAME TO {name}")).await.unwrap();
}

/// Ends all sessions in a database.
pub async fn end_sessions_in(database: &str) {
    cleanup::end_sessions(&[database.to_owned()]).await;
}

pub(crate) fn owner_of(database: &str) -> PostgresConfig {
    config("POSTGRES_URL", database)
}

/// A database on the server of the variable `name`.
pub fn config(name: &str, database: &str) -> PostgresConfig {
    let url = variable(name);
    let (server, rest) = url.rsplit_once('/').expect("the URL names a database");
    let parameters = rest.split_once('?').map(|(_, parameters)| format!("?{parameters}")).unwrap_or_default();
    let url = SecretString::from(format!("{server}/{database}{parameters}"));
    // Many tests at once on a small machine take longer than a function may.
    PostgresConfig { connect_timeout: Duration::from_secs(10), ..PostgresConfig::new(url) }
}

/// Removes what killed processes have left, and creates and migrates the template of this process.
async fn make_template() -> Mutex<String> {
    cleanup::remove_leftovers().await;
    let owner = connect_once(&owner_of("postgres"), None).await.unwrap();
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
