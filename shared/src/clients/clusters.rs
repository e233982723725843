//! The clusters that hold the databases of tenants, by the names that tenants' rows call them. Each client is made at first
//! use and kept between invocations.

use std::{collections::HashMap, time::Duration};

use mongodb::Client;
use tokio::sync::OnceCell;

use crate::clients::{mongo, postgres::Postgres};
use crate::{
    config::{Cluster, Clusters, ConfigError, MongoConfig, PostgresConfig},
    error::Result,
};

/// The PostgreSQL clusters.
pub struct PostgresClusters(HashMap<String, PostgresCluster>);

/// A PostgreSQL cluster.
pub struct PostgresCluster {
    /// How to connect to it.
    pub config: PostgresConfig,
    /// Sessions in the database that the cluster's URL names.
    pub pool: Postgres,
}

impl PostgresClusters {
    /// Connects to nothing yet. A cluster has its URL and takes everything else from `settings`.
    pub fn connect(clusters: &Clusters, settings: &PostgresConfig) -> Result<Self, ConfigError> {
        let cluster = |cluster: &Cluster| {
            let config = PostgresConfig { url: cluster.url.clone(), ..settings.clone() };
            let pool = Postgres::connect(&config)?;
            Ok((cluster.name.clone(), PostgresCluster { config, pool }))
        };
        clusters.0.iter().map(cluster).collect::<Result<_, ConfigError>>().map(Self)
    }

    /// The cluster of a name, if it is configured.
    pub fn get(&self, name: &str) -> Option<&PostgresCluster> {
        self.0.get(name)
    }
}

/// The MongoDB clusters.
pub struct MongoClusters(HashMap<String, MongoCluster>);

/// A MongoDB cluster.
pub struct MongoCluster {
    config: MongoConfig,
    client: OnceCell<Client>,
}

impl MongoClusters {
    /// Connects to nothing yet. `timeout` is how long to look for a server, to connect, and to wait for an operation.
    pub fn connect(clusters: &Clusters, timeout: Duration) -> Self {
        let cluster = |cluster: &Cluster| {
            let config = MongoConfig { url: cluster.url.clone(), timeout };
            (cluster.name.clone(), MongoCluster { config, client: OnceCell::new() })
        };
        Self(clusters.0.iter().map(cluster).collect())
    }

    /// The cluster of a name, if it is configured.
    pub fn get(&self, name: &str) -> Option<&MongoCluster> {
        self.0.get(name)
    }
}

impl MongoCluster {
    /// The cluster's client.
    pub async fn client(&self) -> Result<&Client> {
        self.client_once(async |_| Ok(())).await
    }

    /// The cluster's client. It is given out only after `prepare` has succeeded on it, which is done once.
    pub async fn client_once(&self, prepare: impl AsyncFnOnce(&Client) -> Result<()>) -> Result<&Client> {
        self.client
            .get_or_try_init(|| async {
                let client = mongo::connect(&self.config).await?;
                prepare(&client).await?;
                Ok(client)
            })
            .await
    }
}
