//! The fixtures of the usage tests: tenants with and without databases, and the function that measures them.

use std::{sync::Arc, time::Duration};

use lambda_runtime::{Context, LambdaEvent};
use measure_usage::{App, handle};
use mongodb::{
    Client as Mongo,
    bson::{Document, doc},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::{
    clients::{
        clusters::{MongoClusters, PostgresClusters},
        postgres::{Postgres, connect_once},
        redis::Redis,
        s3::Bucket,
        sqs::Sqs,
    },
    clusters::ClusterLists,
    config::{Cluster, Clusters, FromEnv, MeasuringConfig, MongoSettings, ProvisioningConfig, RedisConfig, S3Config},
    error::Result,
    operations::OperationStatus,
    provisioning::{OperationOutcome, Provisioner},
    types::{Month, TenantId},
    usage::{live_counters::LiveCounters, measuring::MeasuredStores},
    worker::invoke,
};
use tests::{Answer, Api, World, platform::mongo, queues, variable};
use tokio::time::Instant;
use tokio_postgres::Client;

/// A read-only MongoDB user, which is what the function has in a deployment.
const OBSERVER: (&str, &str) = ("test_observer", "only-reads");

/// The fixture of one test.
pub(crate) struct UsageStage {
    pub(crate) world: World,
    pub(crate) api: Api,
    pub(crate) owner: Client,
    pub(crate) queue_url: String,
}

/// A tenant with databases.
pub(crate) struct ProvisionedTenant {
    pub(crate) id: TenantId,
    pub(crate) database: String,
}

impl UsageStage {
    pub(crate) async fn new() -> Self {
        shared::telemetry::init();
        let world = Box::pin(World::new()).await;
        let queue_url = queues::create(&world.database, "measure").await;
        Self { api: Api::of(&world).await, owner: world.client().await, world, queue_url }
    }

    /// The function with the rights that it has in a deployment.
    pub(crate) async fn function(&self) -> App {
        let postgres = self.world.api();
        let clusters = ClusterLists {
            postgres: Clusters::single(postgres.url.clone()),
            mongo: Clusters::single(observer().await),
        };
        App {
            platform: Postgres::connect(&postgres).unwrap(),
            counters: LiveCounters::new(Redis::connect(&RedisConfig::from_env().unwrap()).unwrap()),
            sqs: Sqs::new(),
            queue_url: self.queue_url.clone(),
            stores: MeasuredStores {
                postgres: PostgresClusters::connect(&clusters.postgres, &postgres).unwrap(),
                mongo: MongoClusters::connect(&clusters.mongo, &MongoSettings::from_env().unwrap()).unwrap(),
                bucket: Bucket::connect(&S3Config::from_env().unwrap()).unwrap(),
            },
            // Objects are listed at each measurement.
            config: MeasuringConfig { objects_interval: Duration::ZERO, ..MeasuringConfig::default() },
            clusters,
        }
    }

    /// Creates and provisions a tenant.
    pub(crate) async fn provision(&self, slug: &str) -> ProvisionedTenant {
        let created = self.api.create_tenant(slug).await;
        let id: TenantId = created["id"].as_str().unwrap().parse().unwrap();
        let operation = self.owner.query_one("SELECT id FROM operations WHERE tenant_id = $1", &[&id.0]).await;
        let postgres = self.world.provisioner();
        let provisioner = Provisioner {
            platform: Postgres::connect(&postgres).unwrap(),
            stores: Arc::new(
                shared::provisioning::Stores::connect(
                    self.world.postgres_clusters(),
                    &postgres,
                    Clusters::single(variable("MONGODB_URL")),
                    &MongoSettings::from_env().unwrap(),
                    Bucket::connect(&S3Config::from_env().unwrap()).unwrap(),
                    Redis::connect(&shared::config::RedisConfig::from_env().unwrap()).unwrap(),
                    &shared::config::ServiceLoginConfig::from_env().unwrap(),
                )
                .unwrap(),
            ),
            config: ProvisioningConfig::from_env().unwrap(),
            tenant_schema_version: shared::tenants::TENANT_SCHEMA_VERSION,
            observer: None,
        };
        let operation = shared::types::OperationId(operation.unwrap().get(0));
        let outcome = provisioner.run(operation, Instant::now() + Duration::from_mins(1)).await.unwrap();
        assert_eq!(outcome, OperationOutcome::Finished { status: OperationStatus::Succeeded, now: true });
        ProvisionedTenant { id, database: created["mongo_database"].as_str().unwrap().to_owned() }
    }

    /// Inserts tenants without databases, `t-1` to `t-{count}`, each a second older than the one before.
    pub(crate) async fn seed(&self, count: i32) {
        self.world
            .patient_client()
            .await
            .execute(
                "INSERT INTO tenants (id, name, slug, status, database_name, country, created_at, updated_at)
                 SELECT gen_random_uuid(), 'TestTenant ' || n, 't-' || n, 'active', 'tenant_' || n,
                        (ARRAY['ID', 'US'])[1 + n % 2], t, t
                 FROM generate_series(1, $1) AS n, LATERAL (SELECT timestamptz '2026-01-01' - n * interval '1 s') AS x (t)",
                &[&count],
            )
            .await
            .unwrap();
    }

    /// Runs SQL as the database's owner.
    pub(crate) async fn sql(&self, sql: &str) {
        self.world.leaves_contradictions("a test writes rows as no use case does");
        self.owner.batch_execute(sql).await.unwrap();
    }

    /// The id of a tenant by its slug.
    pub(crate) async fn id(&self, slug: &str) -> TenantId {
        TenantId(self.owner.query_one("SELECT id FROM tenants WHERE slug = $1", &[&slug]).await.unwrap().get(0))
    }

    /// The list; fails the test on any error.
    pub(crate) async fn list(&self, query: &str) -> Answer {
        let answer = self.api.get(&format!("/tenants/usage?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        answer
    }

    /// A tenant's usage in the list.
    pub(crate) async fn usage(&self, id: TenantId) -> Value {
        let answer = self.list("").await;
        let found = answer.json.as_array().unwrap().iter().find(|item| item["id"] == json!(id)).expect("it is listed");
        found["usage"].clone()
    }

    /// The data of the threshold events in the outbox.
    pub(crate) async fn threshold_events(&self) -> Vec<Value> {
        let sql = "SELECT payload -> 'data' FROM outbox WHERE payload ->> 'type' = 'tenant.usage_threshold_reached'
                   AND key = payload ->> 'subject' ORDER BY id";
        self.owner.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// A connection to a tenant's own PostgreSQL database, with all rights.
    pub(crate) async fn inside(&self, tenant: &ProvisionedTenant) -> Client {
        connect_once(&self.world.owner(), Some(&tenant.database)).await.unwrap()
    }
}

/// Invokes the function as its schedule does.
pub(crate) async fn tick(app: App) -> Result<Value> {
    invoke(&Arc::new(app), handle, LambdaEvent::new(json!({ "source": "aws.scheduler" }), Context::default())).await
}

/// Delivers messages with these bodies, whose ids are their numbers, and returns the ids of the failed ones.
pub(crate) async fn deliver(app: &Arc<App>, bodies: &[String]) -> Vec<String> {
    let records: Vec<_> = bodies
        .iter()
        .enumerate()
        .map(|(number, body)| json!({ "messageId": number.to_string(), "body": body, "eventSource": "aws:sqs" }))
        .collect();
    let event = LambdaEvent::new(json!({ "Records": records }), Context::default());
    let answer = invoke(app, handle, event).await.unwrap();
    let failures = answer["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

/// The body of a message that names tenants.
pub(crate) fn about(tenants: &[TenantId]) -> String {
    json!({ "tenant_ids": tenants }).to_string()
}

/// Measures tenants; fails the test when a message fails.
pub(crate) async fn measure(app: &Arc<App>, tenants: &[TenantId]) {
    assert_eq!(deliver(app, &[about(tenants)]).await, Vec::<String>::new());
}

/// Sets a live counter.
pub(crate) async fn set_counter(tenant: TenantId, month: Month, value: &str) {
    let _: () = redis().await.set(format!("usage:{tenant}:{}:messages", month.digits()), value).await;
}

/// Increments a live counter as the platform's services do.
pub(crate) async fn count_message(tenant: TenantId) {
    let _: i64 = redis().await.incr(format!("usage:{tenant}:{}:messages", Month::current().digits())).await;
}

/// A connection to Redis.
pub(crate) struct Counters(redis::aio::MultiplexedConnection);

pub(crate) async fn redis() -> Counters {
    let client = tests::redis_client();
    Counters(client.get_multiplexed_async_connection().await.unwrap())
}

impl Counters {
    async fn set<T: redis::FromRedisValue>(&mut self, key: String, value: &str) -> T {
        redis::cmd("SET").arg(key).arg(value).arg("EX").arg(600).query_async(&mut self.0).await.unwrap()
    }

    async fn incr<T: redis::FromRedisValue>(&mut self, key: String) -> T {
        redis::cmd("INCR").arg(key).query_async(&mut self.0).await.unwrap()
    }
}

/// The URL of the tenants' MongoDB for the read-only user.
async fn observer() -> SecretString {
    const EXISTS: i32 = 51_003;
    let (name, password) = OBSERVER;
    let user = doc! { "createUser": name, "pwd": password, "roles": ["readAnyDatabase"] };
    if let Err(error) = mongo().await.database("admin").run_command(user).await {
        let code = match &*error.kind {
            mongodb::error::ErrorKind::Command(answer) => answer.code,
            _ => panic!("{error}"),
        };
        assert_eq!(code, EXISTS, "{error}");
    }
    SecretString::from(mongo_url(&mongo_host(), "replicaSet=rs0"))
}

/// `host:port` of MongoDB.
pub(crate) fn mongo_host() -> String {
    let url = variable("MONGODB_URL");
    url.rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned()
}

/// The URL of MongoDB at an address for the read-only user.
pub(crate) fn mongo_url(address: &str, options: &str) -> String {
    let (name, password) = OBSERVER;
    let url = variable("MONGODB_URL");
    let (_, given) = url.split_once('?').unwrap();
    let encryption: Vec<_> = given.split('&').filter(|option| option.starts_with("tls")).collect();
    format!("mongodb://{name}:{password}@{address}/?{options}&{}", encryption.join("&"))
}

/// Clusters with these names and URLs.
pub(crate) fn clusters<const N: usize>(named: [(&str, SecretString); N]) -> Clusters {
    let cluster = |(name, url): (&str, SecretString)| Cluster {
        name: name.to_owned(),
        url,
        max_tenants: 10,
        open: true,
        variable: "",
    };
    Clusters(named.into_iter().map(cluster).collect())
}

/// A UUID as text, as in MongoDB's documents.
pub(crate) fn id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Inserts documents into a tenant's collection.
pub(crate) async fn insert(mongo: &Mongo, tenant: &ProvisionedTenant, collection: &str, documents: Vec<Document>) {
    mongo.database(&tenant.database).collection(collection).insert_many(documents).await.unwrap();
}
