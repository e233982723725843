//! What every test of provisioning needs: tenants to provision, workers that can be disturbed, and eyes on every store.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_sdk_s3::Client as S3;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use mongodb::Client as Mongo;
use shared::{
    clients::{postgres::Postgres, s3::Bucket},
    config::{Clusters, FromEnv, PostgresConfig, ProvisioningConfig, S3Config},
    error::{Dependency, Error, Result},
    events,
    operations::{self, OperationKind, OperationStatus},
    provisioning::{Delivery, Moment, Outcome, Provisioner, SagaObserver, Stores},
    tenants::{self, TENANT_SCHEMA_VERSION, TenantName, TenantStatus},
    types::{Country, Limits, OperationId, Slug, TenantId},
};
use tests::{World, variable};
use time::OffsetDateTime;
use tokio::{sync::Notify, task::JoinHandle, time::Instant};

/// What stands for the hash of the first agent's password.
pub(crate) const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$not-to-be-found-anywhere";

/// One test's stage.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) world: Arc<World>,
    pub(crate) mongo: Mongo,
    pub(crate) s3: S3,
    pub(crate) bucket: String,
    pub(crate) platform: Postgres,
    pub(crate) api: Postgres,
    pub(crate) owner: Postgres,
    pub(crate) stores: Arc<Stores>,
}

/// A tenant that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) tenant: TenantId,
    pub(crate) operation: OperationId,
}

/// What is found of a database's name in the stores.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) postgres: bool,
    pub(crate) mongo: bool,
    pub(crate) objects: usize,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let config = S3Config::from_env().unwrap();
        let s3 = Bucket::connect(&config).client().await.clone();
        let world = Arc::new(World::new().await);
        let platform = PostgresConfig { pool_size: 16, ..world.provisioner() };
        let mongo = Clusters::single(variable("MONGODB_URL"));
        Self {
            mongo: tests::platform::mongo().await,
            s3,
            bucket: config.bucket,
            platform: Postgres::connect(&platform).unwrap(),
            api: world.api_pool(),
            owner: Postgres::connect(&world.owner()).unwrap(),
            stores: stores(&platform, world.postgres_clusters(), mongo),
            world,
        }
    }

    /// A worker with the rights of the function.
    pub(crate) fn worker(&self) -> Provisioner {
        self.worker_on(Arc::clone(&self.stores))
    }

    /// A worker that someone watches.
    pub(crate) fn watched(&self, observer: Arc<dyn SagaObserver>) -> Provisioner {
        Provisioner { observer: Some(observer), ..self.worker() }
    }

    /// A worker on stores of its own.
    pub(crate) fn worker_on(&self, stores: Arc<Stores>) -> Provisioner {
        let config = ProvisioningConfig { function_timeout: Duration::from_mins(1), max_attempts: 5 };
        Provisioner { platform: self.platform.clone(), stores, config, observer: None }
    }

    /// Asks for a tenant as `create-tenant` does, with its rights.
    pub(crate) async fn ask(&self) -> Asked {
        let tenant = TenantId::generate();
        let mut client = self.api.get().await.unwrap();
        let transaction = client.transaction().await.unwrap();
        let now = OffsetDateTime::now_utc();
        let new = tenants::store::NewTenant {
            id: tenant,
            name: TenantName::parse("Kopi Kenangan").unwrap(),
            slug: Slug::parse(&format!("t{}", tenant.0.simple())).unwrap(),
            limits: Limits { max_agents: Some(5), max_contacts: None, max_messages_month: None },
            country: Country::parse("ID").unwrap(),
        };
        tenants::store::insert(&transaction, &new, now).await.unwrap();
        tenants::store::insert_pending_admin(&transaction, tenant, "ada@example.com", HASH).await.unwrap();
        let operation =
            operations::store::insert(&transaction, tenant, OperationKind::Provision, "operator", now).await.unwrap();
        events::store::enqueue_provision(&transaction, tenant, operation).await.unwrap();
        transaction.commit().await.unwrap();
        Asked { tenant, operation }
    }

    /// Asks for a failed tenant again as `retry-tenant` does, with its rights.
    pub(crate) async fn ask_again(&self, tenant: TenantId) -> Asked {
        let mut client = self.api.get().await.unwrap();
        let transaction = client.transaction().await.unwrap();
        let found = tenants::store::find_for_update(&transaction, tenant).await.unwrap();
        assert_eq!(found.status, TenantStatus::Failed);
        tenants::store::set_status(&transaction, tenant, TenantStatus::Provisioning).await.unwrap();
        let operation = operations::store::insert(
            &transaction,
            tenant,
            OperationKind::Retry,
            "operator",
            OffsetDateTime::now_utc(),
        )
        .await
        .unwrap();
        transaction.commit().await.unwrap();
        Asked { tenant, operation }
    }

    /// The name that the tenant's databases have now.
    pub(crate) async fn database(&self, tenant: TenantId) -> String {
        tenants::store::find(&self.api.get().await.unwrap(), tenant).await.unwrap().mongo_database
    }

    /// Lets the lease of an operation expire, as time would.
    pub(crate) async fn expire(&self, operation: OperationId) {
        let sql = "UPDATE operations SET lease_expires_at = now() - interval '1 ms' WHERE id = $1";
        self.owner.get().await.unwrap().execute(sql, &[&operation.0]).await.unwrap();
    }

    /// Turns an operation round, as another worker would.
    pub(crate) async fn turn(&self, operation: OperationId) {
        let sql = "UPDATE operations SET status = 'undoing', reason = 'turned by another worker' WHERE id = $1";
        self.owner.get().await.unwrap().execute(sql, &[&operation.0]).await.unwrap();
    }

    /// Neither a PostgreSQL nor a MongoDB database has this name.
    pub(crate) async fn assert_nothing_under(&self, database: &str) {
        let found = self.found(TenantId::generate(), database).await;
        assert_eq!(found, Found::default(), "{database}");
    }

    /// Delivers an operation to undisturbed workers until it is over.
    pub(crate) async fn finish(&self, asked: Asked) -> OperationStatus {
        let worker = self.worker();
        for _ in 0..60 {
            self.expire(asked.operation).await;
            match worker.run(asked.operation, minute()).await.unwrap() {
                Outcome::Finished { status, .. } => {
                    println!("{asked:?} ended {status:?}: {:?}", self.reason(asked.operation).await);
                    return status;
                }
                Outcome::Retry(reason) => {
                    println!("{asked:?} has to come again: {reason}");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
        panic!("{asked:?} does not come to an end");
    }

    /// Why an operation has failed, or is being undone.
    pub(crate) async fn reason(&self, operation: OperationId) -> Option<String> {
        let sql = "SELECT reason FROM operations WHERE id = $1";
        self.owner.get().await.unwrap().query_one(sql, &[&operation.0]).await.unwrap().get(0)
    }

    /// What there is under a name, whoever made it.
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

    /// How many rows a query gives.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM ({sql}) AS rows");
        self.owner.get().await.unwrap().query_one(&sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn status(&self, tenant: TenantId) -> TenantStatus {
        tenants::store::find(&self.api.get().await.unwrap(), tenant).await.unwrap().status
    }

    async fn events(&self, tenant: TenantId, kind: &str) -> i64 {
        let sql = "SELECT FROM outbox WHERE destination = 'event'";
        self.count(&format!("{sql} AND key = '{tenant}' AND payload ->> 'type' = '{kind}'")).await
    }

    /// The tenant is active, with everything, once.
    pub(crate) async fn assert_active(&self, tenant: TenantId) {
        let row = tenants::store::find(&self.api.get().await.unwrap(), tenant).await.unwrap();
        assert_eq!(row.status, TenantStatus::Active);
        assert_eq!(row.schema_version, TENANT_SCHEMA_VERSION);
        let database = row.mongo_database;
        let everything = Found { postgres: true, mongo: true, objects: 1 };
        assert_eq!(self.found(tenant, &database).await, everything, "{tenant} {database}");
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
        let agents = inside.query("SELECT email, role, status, password_hash FROM users", &[]).await.unwrap();
        let agents: Vec<[String; 4]> =
            agents.iter().map(|row| [row.get(0), row.get(1), row.get(2), row.get(3)]).collect();
        assert_eq!(agents, [["ada@example.com", "admin", "active", HASH].map(ToOwned::to_owned)]);
        let collections: BTreeSet<_> =
            self.mongo.database(&database).list_collection_names().await.unwrap().into_iter().collect();
        assert_eq!(collections.len(), 8, "{collections:?}");
    }

    /// The tenant has failed, and nothing is left of `database`.
    pub(crate) async fn assert_failed(&self, tenant: TenantId, database: &str) {
        assert_eq!(self.status(tenant).await, TenantStatus::Failed);
        assert_eq!(self.found(tenant, database).await, Found::default(), "{tenant} {database}");
        assert_ne!(self.database(tenant).await, database);
        assert_eq!(self.events(tenant, "tenant.provisioned").await, 0);
        let of_tenant = format!("tenant_id = '{tenant}'");
        assert_eq!(self.count(&format!("SELECT FROM pending_admins WHERE {of_tenant}")).await, 1);
        let free = "postgres_cluster IS NULL AND mongo_cluster IS NULL AND schema_version = 0";
        assert_eq!(self.count(&format!("SELECT FROM tenants WHERE id = '{tenant}' AND {free}")).await, 1);
        let failed = self.count(&format!("SELECT FROM operations WHERE {of_tenant} AND status = 'failed'")).await;
        assert_eq!(self.events(tenant, "tenant.provisioning_failed").await, failed);
        let told = format!("SELECT FROM operations WHERE {of_tenant} AND status = 'failed' AND length(reason) > 10");
        assert_eq!(self.count(&told).await, failed);
        assert_eq!(self.open_operations(tenant).await, 0);
    }

    /// A failed tenant becomes active when it is tried again.
    pub(crate) async fn assert_retry_works(&self, tenant: TenantId) {
        let again = self.ask_again(tenant).await;
        assert_eq!(self.finish(again).await, OperationStatus::Succeeded);
        self.assert_active(tenant).await;
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

/// How many cases of a test run at once. More would only make each slower, until it meets the limits of the saga.
const AT_ONCE: usize = 3;

/// Plays every case, a few at once, and clears away the tenants that came of it.
pub(crate) async fn each<T, F: Future<Output = ()>>(
    stage: &Stage,
    cases: impl IntoIterator<Item = T>,
    case: impl Fn(T) -> F,
) {
    stream::iter(cases).map(case).buffer_unordered(AT_ONCE).collect::<()>().await;
    stage.world.drop_tenants().await;
}

/// The stores, reached by other ways.
pub(crate) fn stores(postgres: &PostgresConfig, postgres_clusters: Clusters, mongo_clusters: Clusters) -> Arc<Stores> {
    let bucket = Bucket::connect(&S3Config::from_env().unwrap());
    // As for PostgreSQL: many tests at once on a small machine are slower than a function may ever be.
    Arc::new(Stores::connect(postgres_clusters, postgres, mongo_clusters, Duration::from_secs(10), bucket).unwrap())
}

/// A delivery with a minute of time, not the last.
pub(crate) fn minute() -> Delivery {
    Delivery { deadline: Instant::now() + Duration::from_mins(1), last: false }
}

/// Runs a delivery on a task of its own.
pub(crate) fn start(worker: Provisioner, operation: OperationId) -> JoinHandle<Result<Outcome>> {
    tokio::spawn(async move { worker.run(operation, minute()).await })
}

/// What is done to a worker at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A fault that may pass.
    Transient,
    /// A fault that would not.
    Permanent,
    /// The worker stands still until it is let go.
    Freeze,
    /// The worker panics.
    Panic,
}

/// Someone who disturbs a worker, once for each moment that is named.
pub(crate) struct Saboteur {
    faults: Vec<(Moment, Fault, AtomicUsize)>,
    reached: Notify,
    release: Notify,
}

impl Saboteur {
    pub(crate) fn new(faults: impl IntoIterator<Item = (Moment, Fault)>) -> Arc<Self> {
        let faults = faults.into_iter().map(|(moment, fault)| (moment, fault, AtomicUsize::new(1))).collect();
        Arc::new(Self { faults, reached: Notify::new(), release: Notify::new() })
    }

    /// Waits until the worker is at a [`Fault::Freeze`].
    pub(crate) async fn frozen(&self) {
        tokio::time::timeout(Duration::from_secs(30), self.reached.notified()).await.expect("the moment never came");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.release.notify_one();
    }
}

impl SagaObserver for Saboteur {
    fn observe(&self, moment: Moment) -> BoxFuture<'_, Result<()>> {
        async move {
            let due = self.faults.iter().find(|(at, _, left)| {
                *at == moment
                    && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
            });
            match due.map(|(_, fault, _)| fault) {
                None => Ok(()),
                Some(Fault::Transient) => Err(Error::unavailable(Dependency::MongoDb, "injected")),
                Some(Fault::Permanent) => Err(Error::internal("injected")),
                Some(Fault::Panic) => panic!("injected"),
                Some(Fault::Freeze) => {
                    self.reached.notify_one();
                    self.release.notified().await;
                    Ok(())
                }
            }
        }
        .boxed()
    }
}
