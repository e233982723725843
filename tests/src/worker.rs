//! A worker of `provision-tenant` behind proxies: each store has one of its own.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use shared::{
    clients::{aws::Attempts, postgres::Postgres, redis::Redis, s3::Bucket},
    config::{
        Clusters, FromEnv, MongoSettings, PostgresConfig, ProvisioningConfig, RedisConfig, S3Config, ServiceLoginConfig,
    },
    operations::store::breakers::StoreKind,
    provisioning::{Provisioner, SagaObserver, Stores},
    tenants::TENANT_SCHEMA_VERSION,
};

use crate::{
    World,
    proxy::{Proxy, through},
    variable,
};

/// How long the worker waits for a connection. Shorter than in other tests, because stores are down most of the time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// What a worker is connected with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkerStore {
    /// The platform database.
    Platform,
    /// A store of tenants.
    Tenants(StoreKind),
}

impl WorkerStore {
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Platform].into_iter().chain(StoreKind::ALL.iter().copied().map(Self::Tenants))
    }

    /// The URL of its server, on a platform.
    fn url(self, world: &World) -> SecretString {
        match self {
            Self::Platform | Self::Tenants(StoreKind::Postgresql) => world.provisioner().url,
            Self::Tenants(StoreKind::Mongodb) => variable("MONGODB_URL").into(),
            Self::Tenants(StoreKind::ObjectStorage) => variable("AWS_ENDPOINT_URL_S3").into(),
        }
    }
}

/// A proxy in front of each store.
pub struct WorkerProxies(Vec<(WorkerStore, Proxy)>);

impl WorkerProxies {
    pub async fn new(world: &World) -> Self {
        let mut proxies = Vec::new();
        for store in WorkerStore::all() {
            proxies.push((store, Proxy::before(&store.url(world)).await.0));
        }
        Self(proxies)
    }

    pub fn of(&self, store: WorkerStore) -> &Proxy {
        &self.0.iter().find(|(of, _)| *of == store).unwrap().1
    }

    pub fn all(&self) -> impl Iterator<Item = &(WorkerStore, Proxy)> {
        self.0.iter()
    }

    /// The ports, for a worker in another process.
    pub fn ports(&self) -> Vec<u16> {
        self.0.iter().map(|(_, proxy)| proxy.port()).collect()
    }
}

/// A worker that reaches the stores, in the order of [`WorkerStore::all`], at these ports of this machine.
pub fn worker(world: &World, ports: &[u16], observer: Option<Arc<dyn SagaObserver>>) -> Provisioner {
    let url = |wanted: WorkerStore| {
        let port = WorkerStore::all().zip(ports).find(|(store, _)| *store == wanted).unwrap().1;
        through(&wanted.url(world), *port)
    };
    let tenants = |store| url(WorkerStore::Tenants(store));
    let platform = PostgresConfig {
        url: url(WorkerStore::Platform),
        connect_timeout: CONNECT_TIMEOUT,
        pool_size: 8,
        ..world.provisioner()
    };
    // The members of a replica set announce their own addresses. Without a direct connection, the driver would bypass the proxy.
    let mongo = tenants(StoreKind::Mongodb).expose_secret().replace("replicaSet=rs0", "directConnection=true");
    let endpoint = tenants(StoreKind::ObjectStorage).expose_secret().to_owned();
    let attempts = Attempts { endpoint: Some(endpoint), ..Attempts::new(CONNECT_TIMEOUT, 2) };
    let bucket = Bucket::with(&S3Config::from_env().unwrap(), attempts).unwrap();
    let stores = Stores::connect(
        Clusters::single(tenants(StoreKind::Postgresql)),
        &platform,
        Clusters::single(mongo),
        &MongoSettings { timeout: CONNECT_TIMEOUT, ..MongoSettings::from_env().unwrap() },
        bucket,
        Redis::connect(&RedisConfig::from_env().unwrap()).unwrap(),
        &ServiceLoginConfig::from_env().unwrap(),
    );
    Provisioner {
        platform: Postgres::connect(&platform).unwrap(),
        stores: Arc::new(stores.unwrap()),
        config: ProvisioningConfig::new(Duration::from_mins(1)),
        tenant_schema_version: TENANT_SCHEMA_VERSION,
        observer,
    }
}
