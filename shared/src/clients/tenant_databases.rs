//! The PostgreSQL databases of tenants, for functions that serve one tenant after another: a small cache of connections. Their
//! number has a limit per cluster that does not depend on the number of tenants.
//!
//! Every open connection holds one of the permits of its cluster, from before it connects until its socket is closed. When
//! all permits are taken, the connection that has been idle longest is closed, regardless of its database. One database gets
//! at most half of the permits, so that a tenant whose database hangs does not delay other tenants. Clusters do not share
//! permits.

use std::{
    collections::HashMap,
    future::pending,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use deadpool_postgres::{Connect, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use futures::{FutureExt, future::BoxFuture};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
    time::timeout,
};
use tokio_postgres::{Client, Config, Error as PostgresError};

use crate::{
    clients::postgres::{Connection, Server, session_limits},
    config::{Clusters, ConfigError, FromEnv, PostgresConfig},
    error::{Dependency, Error, Result},
};

/// How long the server may take to respond on an idle connection before it is used again. The connection may have been cut
/// off or hang; one that does not respond in time is replaced.
const RECYCLE_TIMEOUT: Duration = Duration::from_millis(500);

/// How often a waiter checks for an idle connection to close, because a pool does not notify about returned connections.
const RECHECK_INTERVAL: Duration = Duration::from_millis(10);

/// The time for connecting and for the network, beside the time for one statement.
const OVERHEAD: Duration = Duration::from_secs(1);

/// The databases of tenants on all clusters.
#[derive(Clone)]
pub struct TenantDatabases {
    clusters: Arc<HashMap<String, Arc<TenantCluster>>>,
    time_limit: Duration,
}

impl TenantDatabases {
    /// From the environment. Opens no connection yet.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::connect(&Clusters::postgres_from_env()?, &PostgresConfig::from_env()?)
    }

    /// Opens no connection yet. A cluster has a URL of its own, and everything else from `settings`.
    pub fn connect(clusters: &Clusters, settings: &PostgresConfig) -> Result<Self, ConfigError> {
        let cluster = |cluster: &crate::config::Cluster| {
            Ok((cluster.name.clone(), Arc::new(TenantCluster::new(&settings.of_cluster(cluster))?)))
        };
        let clusters: HashMap<_, _> = clusters.0.iter().map(cluster).collect::<Result<_, ConfigError>>()?;
        Ok(Self { clusters: Arc::new(clusters), time_limit: settings.statement_timeout + OVERHEAD })
    }

    /// A connection to a tenant's database; opened now if none is idle. Waits at most the connect timeout, and fails with
    /// [`Error::Unavailable`] when the database or its server cannot be reached, or its cluster is not configured.
    pub async fn get(&self, cluster: &str, database: &str) -> Result<Connection> {
        let Some(cluster) = self.clusters.get(cluster) else {
            let cause = format!("the cluster `{cluster}` is not configured");
            return Err(Error::unavailable(Dependency::TenantDatabase, cause));
        };
        let pool = cluster.pool(database).map_err(Error::internal)?;
        pool.get().await.map_err(|error| Error::unavailable(Dependency::TenantDatabase, error))
    }

    /// Runs `work` on a tenant's database, including the connecting. It ends in time even if the server stops responding, and
    /// its errors name the tenant's database and not the platform's.
    pub async fn within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match timeout(self.time_limit, work).await {
            Ok(Err(Error::Unavailable { dependency: Dependency::PostgreSql, source })) => {
                Err(Error::Unavailable { dependency: Dependency::TenantDatabase, source })
            }
            Ok(result) => result,
            Err(elapsed) => Err(Error::unavailable(Dependency::TenantDatabase, elapsed)),
        }
    }
}

struct TenantCluster {
    server: Server,
    /// The first statements of every session.
    settings_sql: String,
    connect_timeout: Duration,
    /// The most connections to one database.
    max_per_database: usize,
    /// How long a connection may be idle.
    max_idle: Duration,
    permits: Arc<Semaphore>,
    /// By the name of the database.
    pools: Mutex<HashMap<String, DatabasePool>>,
}

struct DatabasePool {
    pool: Pool,
    last_request: Instant,
}

impl TenantCluster {
    fn new(config: &PostgresConfig) -> Result<Self, ConfigError> {
        let (cap, idle) = (config.tenant_connections, config.tenant_idle);
        // A frozen process cannot close its idle connections, so the server does.
        let idle_session_timeout = (idle * 2).as_millis();
        // Custom plans, because the best plan of a search depends on the text: the trigram index for a rare word, the newest
        // rows for a common one.
        let settings_sql = format!(
            "{}; SET idle_session_timeout = {idle_session_timeout}; SET plan_cache_mode = force_custom_plan",
            session_limits(config.statement_timeout)
        );
        Ok(Self {
            server: Server::of(config)?,
            settings_sql,
            connect_timeout: config.connect_timeout,
            max_per_database: cap.div_ceil(2).max(1),
            max_idle: idle,
            permits: Arc::new(Semaphore::new(cap.max(1))),
            pools: Mutex::default(),
        })
    }

    /// The pool of a database. Closes connections to other databases that were idle for too long.
    fn pool(self: &Arc<Self>, database: &str) -> Result<Pool, deadpool_postgres::BuildError> {
        let mut pools = self.pools();
        pools.retain(|name, entry| {
            let _closed = entry.pool.retain(|_, metrics| metrics.last_used() < self.max_idle);
            let status = entry.pool.status();
            name == database || status.size + status.waiting > 0
        });
        if let Some(entry) = pools.get_mut(database) {
            entry.last_request = Instant::now();
            return Ok(entry.pool.clone());
        }
        let mut settings = self.server.settings.clone();
        settings.dbname(database);
        let manager = Manager::from_connect(
            settings,
            LimitedConnect { cluster: Arc::downgrade(self) },
            ManagerConfig { recycling_method: RecyclingMethod::Verified },
        );
        let pool = Pool::builder(manager)
            .max_size(self.max_per_database)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(self.connect_timeout))
            .create_timeout(Some(self.connect_timeout))
            .recycle_timeout(Some(RECYCLE_TIMEOUT))
            .build()?;
        pools.insert(database.to_owned(), DatabasePool { pool: pool.clone(), last_request: Instant::now() });
        Ok(pool)
    }

    /// Waits for a permit to open a connection. If all are taken, closes an idle connection.
    async fn permit(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                return permit;
            }
            self.close_one();
            // The semaphore is fair, so waiters are served in order.
            if let Ok(Ok(permit)) = timeout(RECHECK_INTERVAL, Arc::clone(&self.permits).acquire_owned()).await {
                return permit;
            }
        }
    }

    /// Closes one idle connection, to the database whose last request is the oldest.
    fn close_one(&self) {
        let pools = self.pools();
        let idle = pools.values().filter(|entry| entry.pool.status().available > 0);
        if let Some(entry) = idle.min_by_key(|entry| entry.last_request) {
            let mut closes = true;
            let _closed = entry.pool.retain(|_, _| !mem::take(&mut closes));
        }
    }

    fn pools(&self) -> MutexGuard<'_, HashMap<String, DatabasePool>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens connections that hold a permit until they are closed.
struct LimitedConnect {
    /// Weak, because the cluster owns the pool that owns this.
    cluster: Weak<TenantCluster>,
}

impl Connect for LimitedConnect {
    fn connect(&self, settings: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), PostgresError>> {
        // The caller that waits for a connection keeps the cluster alive.
        let Some(cluster) = self.cluster.upgrade() else { return pending().boxed() };
        let settings = settings.clone();
        async move {
            let permit = cluster.permit().await;
            let (client, wire) = cluster.server.open(&settings).await?;
            let mut wire = wire.fuse();
            // Not on a task yet, so that dropping this future closes the socket and frees the permit.
            tokio::select! {
                result = client.batch_execute(&cluster.settings_sql) => result?,
                ended = &mut wire => ended?,
            }
            let task = tokio::spawn(async move {
                let _held_until_closed = permit;
                if let Err(error) = wire.await {
                    tracing::debug!(%error, "a connection to a tenant's database failed");
                }
            });
            Ok((client, task))
        }
        .boxed()
    }
}
