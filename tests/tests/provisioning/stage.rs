//! Fixtures of the provisioning tests: tenants to provision, workers that can be disturbed, and checks of every store.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aws_sdk_s3::Client as S3;
use futures::{StreamExt, stream};
use mongodb::Client as Mongo;
use shared::{
    clients::{postgres::Postgres, redis::Redis, s3::Bucket},
    config::{
        Clusters, FromEnv, MongoSettings, PostgresConfig, ProvisioningConfig, RedisConfig, S3Config, ServiceLoginConfig,
    },
    error::Result,
    operations::{OperationStatus, StepName},
    provisioning::{OperationOutcome, Provisioner, SagaObserver, Stores},
    tenants::{self, CreateTenant, OnLimit, RetryTenant, TENANT_SCHEMA_VERSION, TenantName, TenantStatus},
    types::{Actor, Country, EmailAddress, Limits, OperationId, Slug, TenantId},
};
use tests::{World, variable};
use tokio::{task::JoinHandle, time::Instant};
use uuid::Uuid;

/// Stands in for the hash of the first user's password.
pub(crate) const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$not-to-be-found-anywhere";

#[derive(Clone)]
pub(crate) struct ProvisioningStage {
    pub(crate) world: Arc<World>,
    pub(crate) mongo: Mongo,
    pub(crate) s3: S3,
    pub(crate) bucket: String,
    pub(crate) platform: Postgres,
    pub(crate) api: Postgres,
    pub(crate) owner: Postgres,
    pub(crate) stores: Arc<Stores>,
}

/// The super-admin who requests tenants.
pub(crate) const ACTOR: Actor<'static> = Actor { id: "super-admin", ..Actor::SYSTEM };

/// A tenant and its open operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Requested {
    pub(crate) tenant: TenantId,
    pub(crate) operation: OperationId,
}

/// The parts of a tenant that exist in the stores.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) postgres: bool,
    pub(crate) mongo: bool,
    pub(crate) objects: usize,
}

impl ProvisioningStage {
    pub(crate) async fn new() -> Self {
        let stage = Self::of(Arc::new(World::new().await)).await;
        stage.world.ignore_breakers().await;
        stage
    }

    /// With connections of its own.
    pub(crate) async fn of(world: Arc<World>) -> Self {
        let config = S3Config::from_env().unwrap();
        let s3 = Bucket::connect(&config).unwrap().client().await.clone();
        let many = |config: PostgresConfig| PostgresConfig { pool_size: 16, ..config };
        let platform = many(world.provisioner());
        let mongo = Clusters::single(variable("MONGODB_URL"));
        Self {
            mongo: tests::platform::mongo().await,
            s3,
            bucket: config.bucket,
            platform: Postgres::connect(&platform).unwrap(),
            api: world.api_pool(),
            // Before PostgreSQL drops a database, it writes all changes on the server to disk.
            owner: Postgres::connect(&PostgresConfig {
                statement_timeout: Duration::from_mins(1),
                ..many(world.owner())
            })
            .unwrap(),
            stores: stores(&platform, world.postgres_clusters(), mongo),
            world,
        }
    }

    /// Uses circuit breakers, in a test that disturbs one worker after the other.
    pub(crate) async fn use_breakers(&self) {
        self.world.use_breakers().await;
    }

    /// A worker with the rights of the function.
    pub(crate) fn worker(&self) -> Provisioner {
        self.worker_on(Arc::clone(&self.stores))
    }

    /// A worker with an observer.
    pub(crate) fn watched(&self, observer: Arc<dyn SagaObserver>) -> Provisioner {
        Provisioner { observer: Some(observer), ..self.worker() }
    }

    /// A worker with its own connections to the stores.
    pub(crate) fn worker_on(&self, stores: Arc<Stores>) -> Provisioner {
        let config = ProvisioningConfig::new(Duration::from_mins(1));
        let (platform, tenant_schema_version) = (self.platform.clone(), TENANT_SCHEMA_VERSION);
        Provisioner { platform, stores, config, tenant_schema_version, observer: None }
    }

    /// Creates a tenant, with the database rights of `create-tenant`.
    pub(crate) async fn request(&self) -> Requested {
        let command = CreateTenant {
            actor: ACTOR,
            name: TenantName::parse("Kopi Kenangan").unwrap(),
            slug: Slug::parse(&format!("t{}", Uuid::now_v7().simple())).unwrap(),
            limits: Limits { max_agents: Some(5), max_contacts: None, max_messages_month: None },
            on_limit: OnLimit::Notify,
            country: Country::parse("ID").unwrap(),
            admin_email: EmailAddress::parse("ada@example.com").unwrap(),
            admin_password_hash: HASH.into(),
        };
        let mut client = self.api.get().await.unwrap();
        let transaction = client.transaction().await.unwrap();
        let created = tenants::create(&transaction, &command).await.unwrap();
        transaction.commit().await.unwrap();
        Requested { tenant: created.tenant.id, operation: created.operation_id }
    }

    /// Retries a failed tenant, with the database rights of `retry-tenant`.
    pub(crate) async fn request_retry(&self, tenant: TenantId) -> Requested {
        let mut client = self.api.get().await.unwrap();
        let transaction = client.transaction().await.unwrap();
        let retried = tenants::retry(&transaction, &RetryTenant { actor: ACTOR, id: tenant }).await.unwrap();
        transaction.commit().await.unwrap();
        Requested { tenant, operation: retried.operation_id }
    }

    /// The current name of the tenant's databases.
    pub(crate) async fn database(&self, tenant: TenantId) -> String {
        tenants::store::find(&self.api.get().await.unwrap(), tenant).await.unwrap().mongo_database
    }

    /// Makes an operation due: its lease expires, and it waits no longer.
    pub(crate) async fn expire(&self, operation: OperationId) {
        let sql = "UPDATE operations SET lease_expires_at = now() - interval '1 ms', next_attempt_at = now()
                   WHERE id = $1 AND finished_at IS NULL";
        self.owner.get().await.unwrap().execute(sql, &[&operation.0]).await.unwrap();
    }

    /// Ends the wait of an operation, but not its lease.
    pub(crate) async fn end_wait(&self, operation: OperationId) {
        let sql = "UPDATE operations SET next_attempt_at = now() WHERE id = $1 AND finished_at IS NULL";
        self.owner.get().await.unwrap().execute(sql, &[&operation.0]).await.unwrap();
    }

    /// Makes an operation look as if no worker had come for longer than the relay waits.
    pub(crate) async fn make_overdue(&self, operation: OperationId) {
        self.expire(operation).await;
        let sql = "UPDATE operations SET next_attempt_at = now() - interval '2 minutes'
                   WHERE id = $1 AND finished_at IS NULL";
        self.owner.get().await.unwrap().execute(sql, &[&operation.0]).await.unwrap();
    }

    /// Spends the time that an operation may take.
    pub(crate) async fn spend_budget(&self, operation: OperationId) {
        let sql = "UPDATE operations SET gives_up_at = now() WHERE id = $1";
        self.owner.get().await.unwrap().execute(sql, &[&operation.0]).await.unwrap();
    }

    /// Begins the rollback of an operation, as another worker would.
    pub(crate) async fn begin_rollback(&self, operation: OperationId) {
        let sql = "UPDATE operations SET status = 'undoing', reason = 'rolled back by another worker' WHERE id = $1";
        self.owner.get().await.unwrap().execute(sql, &[&operation.0]).await.unwrap();
    }

    /// The error of the last attempt at a step.
    pub(crate) async fn step_error(&self, operation: OperationId, step: StepName) -> String {
        let sql = "SELECT error FROM operation_steps WHERE operation_id = $1 AND name = $2";
        let client = self.owner.get().await.unwrap();
        client.query_one(sql, &[&operation.0, &step.as_str()]).await.unwrap().get(0)
    }

    /// Checks that no PostgreSQL or MongoDB database has this name.
    pub(crate) async fn assert_no_database(&self, database: &str) {
        let found = self.found(TenantId::generate(), database).await;
        assert_eq!(found, Found::default(), "{database}");
    }

    /// Has undisturbed workers attempt an operation until it ends.
    pub(crate) async fn finish(&self, requested: Requested) -> OperationStatus {
        self.finish_with(&self.worker(), requested).await
    }

    /// Has a worker attempt an operation until it ends.
    pub(crate) async fn finish_with(&self, worker: &Provisioner, requested: Requested) -> OperationStatus {
        for _ in 0..60 {
            self.expire(requested.operation).await;
            match worker.run(requested.operation, minute()).await.unwrap() {
                OperationOutcome::Finished { status, .. } => {
                    println!("{requested:?} ended {status:?}: {:?}", self.reason(requested.operation).await);
                    return status;
                }
                OperationOutcome::Open { reason, wake_in } => {
                    println!("{requested:?} has not ended: {reason}; {wake_in:?}");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
        panic!("{requested:?} does not come to an end");
    }

    /// Why an operation has failed or is being rolled back.
    pub(crate) async fn reason(&self, operation: OperationId) -> Option<String> {
        let sql = "SELECT reason FROM operations WHERE id = $1";
        self.owner.get().await.unwrap().query_one(sql, &[&operation.0]).await.unwrap().get(0)
    }

    /// The parts of a tenant that exist, whichever worker created them.
    pub(crate) async fn found(&self, tenant: TenantId, database: &str) -> Found {
        let sql = format!("SELECT FROM pg_database WHERE datname = '{database}'");
        let objects =
            self.s3.list_object_versions().bucket(&self.bucket).prefix(tenant.object_prefix()).send().await.unwrap();
        Found {
            postgres: self.count(&sql).await == 1,
            mongo: self.mongo.list_database_names().await.unwrap().iter().any(|name| name == database),
            objects: objects.versions().len() + objects.delete_markers().len(),
        }
    }

    /// Number of rows of a query.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM ({sql}) AS rows");
        self.owner.get().await.unwrap().query_one(&sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn status(&self, tenant: TenantId) -> TenantStatus {
        tenants::store::find(&self.api.get().await.unwrap(), tenant).await.unwrap().status
    }

    pub(crate) async fn events(&self, tenant: TenantId, kind: &str) -> i64 {
        let sql = "SELECT FROM outbox WHERE destination = 'event'";
        self.count(&format!("{sql} AND key = '{tenant}' AND payload ->> 'type' = '{kind}'")).await
    }

    /// Checks that the tenant is active, complete, and was activated once.
    pub(crate) async fn assert_active(&self, tenant: TenantId) {
        let row = tenants::store::find(&self.api.get().await.unwrap(), tenant).await.unwrap();
        assert_eq!(row.status, TenantStatus::Active);
        assert_eq!(row.schema_version, TENANT_SCHEMA_VERSION);
        let database = row.mongo_database;
        let everything = Found { postgres: true, mongo: true, objects: 1 };
        assert_eq!(self.found(tenant, &database).await, everything, "{tenant} {database}");
        assert_eq!(self.ledger_state(&database).await, "live");
        let described = format!(
            "SELECT FROM pg_database d JOIN tenant_databases l ON l.name = d.datname
             WHERE shobj_description(d.oid, 'pg_database') = 'Tenant {tenant}, created by operation ' || l.operation_id
                 AND d.datname = '{database}' AND l.tenant_id = '{tenant}'"
        );
        assert_eq!(self.count(&described).await, 1);
        assert_eq!(self.events(tenant, "tenant.provisioned").await, 1);
        let of_tenant = format!("tenant_id = '{tenant}'");
        assert_eq!(self.count(&format!("SELECT FROM pending_admins WHERE {of_tenant}")).await, 0);
        assert_eq!(self.open_operations(tenant).await, 0);
        let steps = format!(
            "SELECT FROM operation_steps s JOIN operations o ON o.id = s.operation_id
             WHERE o.{of_tenant} AND o.status = 'succeeded' AND s.status = 'succeeded' AND s.finished_at IS NOT NULL"
        );
        assert_eq!(self.count(&steps).await, 6);
        let inside = self.inside(&database).await;
        let users = inside
            .query("SELECT email, role, status, password_hash, must_change_password::text FROM users", &[])
            .await
            .unwrap();
        let users: Vec<[String; 5]> =
            users.iter().map(|row| [row.get(0), row.get(1), row.get(2), row.get(3), row.get(4)]).collect();
        assert_eq!(users, [["ada@example.com", "admin", "active", HASH, "true"].map(ToOwned::to_owned)]);
        let collections: BTreeSet<_> =
            self.mongo.database(&database).list_collection_names().await.unwrap().into_iter().collect();
        assert_eq!(collections.len(), 8, "{collections:?}");
    }

    /// What the ledger contains about a name of databases.
    async fn ledger_state(&self, database: &str) -> String {
        let sql = "SELECT state FROM tenant_databases WHERE name = $1";
        self.owner.get().await.unwrap().query_one(sql, &[&database]).await.unwrap().get(0)
    }

    /// Checks that the tenant has failed, and that nothing of `database` exists.
    pub(crate) async fn assert_failed(&self, tenant: TenantId, database: &str) {
        assert_eq!(self.status(tenant).await, TenantStatus::Failed);
        assert_eq!(self.found(tenant, database).await, Found::default(), "{tenant} {database}");
        assert_eq!(self.ledger_state(database).await, "dropped");
        assert_eq!(self.events(tenant, "tenant.provisioned").await, 0);
        let of_tenant = format!("tenant_id = '{tenant}'");
        assert_eq!(self.count(&format!("SELECT FROM pending_admins WHERE {of_tenant}")).await, 1);
        let free = "postgres_cluster IS NULL AND mongo_cluster IS NULL AND schema_version = 0";
        assert_eq!(self.count(&format!("SELECT FROM tenants WHERE id = '{tenant}' AND {free}")).await, 1);
        let failed = self.count(&format!("SELECT FROM operations WHERE {of_tenant} AND status = 'failed'")).await;
        assert_eq!(self.events(tenant, "tenant.provisioning_failed").await, failed);
        let with_reason =
            format!("SELECT FROM operations WHERE {of_tenant} AND status = 'failed' AND length(reason) > 10");
        assert_eq!(self.count(&with_reason).await, failed);
        assert_eq!(self.open_operations(tenant).await, 0);
    }

    /// Checks that a failed tenant becomes active when it is retried.
    pub(crate) async fn assert_retry_works(&self, tenant: TenantId) {
        let retried = self.request_retry(tenant).await;
        assert_eq!(self.finish(retried).await, OperationStatus::Succeeded);
        self.assert_active(tenant).await;
    }

    /// The only operation of a tenant that has not ended.
    pub(crate) async fn open_operation(&self, tenant: TenantId) -> OperationId {
        let sql = "SELECT id FROM operations WHERE tenant_id = $1 AND finished_at IS NULL";
        OperationId(self.owner.get().await.unwrap().query_one(sql, &[&tenant.0]).await.unwrap().get(0))
    }

    /// The number of a tenant's operations that have not ended.
    pub(crate) async fn open_operation_count(&self, tenant: TenantId) -> i64 {
        self.open_operations(tenant).await
    }

    async fn open_operations(&self, tenant: TenantId) -> i64 {
        let sql = format!("SELECT FROM operations WHERE tenant_id = '{tenant}' AND finished_at IS NULL");
        self.count(&sql).await
    }

    /// A connection to a tenant's database with the rights of the HTTP functions.
    pub(crate) async fn inside(&self, database: &str) -> tokio_postgres::Client {
        shared::clients::postgres::connect_once(&self.world.api(), Some(database)).await.unwrap()
    }
}

/// Number of cases of a test that run at once. With more, each case is slower and may exceed the timeouts of the saga.
const MAX_CONCURRENCY: usize = 3;

/// Runs every case, a few at once.
pub(crate) async fn each<T, F: Future<Output = ()>>(cases: impl IntoIterator<Item = T>, case: impl Fn(T) -> F) {
    stream::iter(cases).map(case).buffer_unordered(MAX_CONCURRENCY).collect::<()>().await;
}

/// The stores, with connections through the given URLs.
pub(crate) fn stores(postgres: &PostgresConfig, postgres_clusters: Clusters, mongo_clusters: Clusters) -> Arc<Stores> {
    let bucket = Bucket::connect(&S3Config::from_env().unwrap()).unwrap();
    stores_with(postgres, postgres_clusters, mongo_clusters, bucket)
}

/// As [`stores`], with another bucket.
pub(crate) fn stores_with(
    postgres: &PostgresConfig,
    postgres_clusters: Clusters,
    mongo_clusters: Clusters,
    bucket: Bucket,
) -> Arc<Stores> {
    // As for PostgreSQL, the timeout is longer than in production, because many tests run at once on a small machine.
    let mongo = MongoSettings { timeout: Duration::from_secs(10), ..MongoSettings::from_env().unwrap() };
    let redis = Redis::connect(&RedisConfig::from_env().unwrap()).unwrap();
    let logins = ServiceLoginConfig::from_env().unwrap();
    Arc::new(Stores::connect(postgres_clusters, postgres, mongo_clusters, &mongo, bucket, redis, &logins).unwrap())
}

/// The deadline of an attempt that has one minute.
pub(crate) fn minute() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

/// Makes an attempt in its own task.
pub(crate) fn start(worker: Provisioner, operation: OperationId) -> JoinHandle<Result<OperationOutcome>> {
    tokio::spawn(async move { worker.run(operation, minute()).await })
}
