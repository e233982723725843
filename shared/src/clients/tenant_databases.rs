//! The PostgreSQL databases of tenants, for functions that are asked about one tenant after another: a small cache of
//! connections, of which there are never more than a cap, whatever the number of tenants.
//!
//! Every open connection holds one of the permits of its cluster, from before it connects until its socket is closed. Where
//! all are taken, the connection that has been idle the longest goes, whosever it is. One database gets half of them at the
//! most, so that a tenant whose database hangs holds up nobody else, and no cluster takes the permits of another.

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

use crate::clients::postgres::{Connection, Server, session_limits};
use crate::{
    config::{Clusters, ConfigError, FromEnv, PostgresConfig},
    error::{Dependency, Error, Result},
};

/// A connection that was idle is asked for a sign of life before it is given out: it may have hung, or have been cut off,
/// while nobody looked. One that gives none within this time is replaced.
const RECYCLE_TIMEOUT: Duration = Duration::from_millis(500);

/// A connection goes back to its pool without a word, so whoever waits for one to become idle has to look again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What one statement may take beside itself: the connection, and the way there and back.
const ASIDE: Duration = Duration::from_secs(1);

/// The databases of tenants on all clusters.
#[derive(Clone)]
pub struct TenantDatabases {
    clusters: Arc<HashMap<String, Arc<ClusterPools>>>,
    patience: Duration,
}

impl TenantDatabases {
    /// From the environment; connects to nothing yet.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::connect(&Clusters::postgres_from_env()?, &PostgresConfig::from_env()?)
    }

    /// Connects to nothing yet. A cluster has its URL and takes everything else from `settings`.
    pub fn connect(clusters: &Clusters, settings: &PostgresConfig) -> Result<Self, ConfigError> {
        let cluster = |cluster: &crate::config::Cluster| {
            let config = PostgresConfig { url: cluster.url.clone(), ..settings.clone() };
            Ok((cluster.name.clone(), Arc::new(ClusterPools::new(&config)?)))
        };
        let clusters: HashMap<_, _> = clusters.0.iter().map(cluster).collect::<Result<_, ConfigError>>()?;
        Ok(Self { clusters: Arc::new(clusters), patience: settings.statement_timeout + ASIDE })
    }

    /// A connection to a tenant's database, made now if none is idle. Waits no longer than the connect timeout, and fails
    /// with [`Error::Unavailable`] where the database, its server or its cluster is not there.
    pub async fn get(&self, cluster: &str, database: &str) -> Result<Connection> {
        let Some(cluster) = self.clusters.get(cluster) else {
            let cause = format!("the cluster `{cluster}` is not configured");
            return Err(Error::unavailable(Dependency::TenantDatabase, cause));
        };
        let pool = cluster.pool(database).map_err(Error::internal)?;
        pool.get().await.map_err(|error| Error::unavailable(Dependency::TenantDatabase, error))
    }

    /// Does `work` on a tenant's database, the connecting included. It ends in time even where the server says nothing any
    /// more, and what fails on the way is told of the tenant's database, not of the platform's.
    pub async fn within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match timeout(self.patience, work).await {
            Ok(Err(Error::Unavailable { dependency: Dependency::PostgreSql, source })) => {
                Err(Error::Unavailable { dependency: Dependency::TenantDatabase, source })
            }
            Ok(result) => result,
            Err(elapsed) => Err(Error::unavailable(Dependency::TenantDatabase, elapsed)),
        }
    }
}

struct ClusterPools {
    server: Server,
    /// What every session is told first.
    limits: String,
    connect_timeout: Duration,
    /// Of one database, at the most.
    share: usize,
    /// How long a connection may be idle.
    idle: Duration,
    permits: Arc<Semaphore>,
    /// By database.
    pools: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    pool: Pool,
    asked: Instant,
}

impl ClusterPools {
    fn new(config: &PostgresConfig) -> Result<Self, ConfigError> {
        let (cap, idle) = (config.tenant_connections, config.tenant_idle);
        // The server ends what is left idle by a process that is frozen, and cannot do it itself.
        let unattended = (idle * 2).as_millis();
        // And what is searched for is looked at before it is planned how: a rare word is found by the index of trigrams, a
        // common one among the newest rows.
        let limits = format!(
            "{}; SET idle_session_timeout = {unattended}; SET plan_cache_mode = force_custom_plan",
            session_limits(config.statement_timeout)
        );
        Ok(Self {
            server: Server::of(config)?,
            limits,
            connect_timeout: config.connect_timeout,
            share: cap.div_ceil(2).max(1),
            idle,
            permits: Arc::new(Semaphore::new(cap.max(1))),
            pools: Mutex::default(),
        })
    }

    /// The pool of a database. Connections of others that were idle for too long go.
    fn pool(self: &Arc<Self>, database: &str) -> Result<Pool, deadpool_postgres::BuildError> {
        let mut pools = self.pools();
        pools.retain(|name, kept| {
            let _gone = kept.pool.retain(|_, metrics| metrics.last_used() < self.idle);
            let status = kept.pool.status();
            name == database || status.size + status.waiting > 0
        });
        if let Some(kept) = pools.get_mut(database) {
            kept.asked = Instant::now();
            return Ok(kept.pool.clone());
        }
        let mut settings = self.server.settings.clone();
        settings.dbname(database);
        let manager = Manager::from_connect(
            settings,
            Permitted { cluster: Arc::downgrade(self) },
            ManagerConfig { recycling_method: RecyclingMethod::Verified },
        );
        let pool = Pool::builder(manager)
            .max_size(self.share)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(self.connect_timeout))
            .create_timeout(Some(self.connect_timeout))
            .recycle_timeout(Some(RECYCLE_TIMEOUT))
            .build()?;
        pools.insert(database.to_owned(), Kept { pool: pool.clone(), asked: Instant::now() });
        Ok(pool)
    }

    /// A permit to open a connection, where need be in place of one that is idle. Waits until there is one.
    async fn permit(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
                return permit;
            }
            self.close_one();
            // In turn, as the semaphore has it.
            if let Ok(Ok(permit)) = timeout(LOOK_AGAIN, Arc::clone(&self.permits).acquire_owned()).await {
                return permit;
            }
        }
    }

    /// Closes one idle connection, of the database that was not asked for the longest time.
    fn close_one(&self) {
        let pools = self.pools();
        let idle = pools.values().filter(|kept| kept.pool.status().available > 0);
        if let Some(kept) = idle.min_by_key(|kept| kept.asked) {
            let mut closes = true;
            let _closed = kept.pool.retain(|_, _| !mem::take(&mut closes));
        }
    }

    fn pools(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens connections that hold a permit for as long as they are open.
struct Permitted {
    /// The cluster keeps the pool that this is part of.
    cluster: Weak<ClusterPools>,
}

impl Connect for Permitted {
    fn connect(&self, settings: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), PostgresError>> {
        // Whoever waits for a connection holds the cluster.
        let Some(cluster) = self.cluster.upgrade() else { return pending().boxed() };
        let settings = settings.clone();
        async move {
            let permit = cluster.permit().await;
            let (client, wire) = cluster.server.open(&settings).await?;
            let mut wire = wire.fuse();
            // Not on a task yet: whoever gives up here closes the socket, and the permit is free.
            tokio::select! {
                told = client.batch_execute(&cluster.limits) => told?,
                ended = &mut wire => ended?,
            }
            let task = tokio::spawn(async move {
                let _until_it_is_closed = permit;
                if let Err(error) = wire.await {
                    tracing::debug!(%error, "a connection to a tenant's database has ended");
                }
            });
            Ok((client, task))
        }
        .boxed()
    }
}
