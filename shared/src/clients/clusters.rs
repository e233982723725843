//! The clusters of the tenants' databases, by the names in the tenants' rows. Each client is created at first use and kept
//! between invocations.

use std::{collections::HashMap, time::Duration};

use mongodb::Client;
use tokio::sync::OnceCell;

use crate::clients::{mongo, postgres::Postgres};
use crate::{
    config::{Cluster, Clusters, ConfigError, MongoConfig, PostgresConfig},
    error::Result,
};

pub struct PostgresClusters(HashMap<String, PostgresCluster>);

pub struct PostgresCluster {
    pub config: PostgresConfig,
    /// Connections to the database in the cluster's URL.
    pub pool: Postgres,
}

impl PostgresClusters {
    /// Opens no connection yet. Everything except the URL comes from `settings`.
    pub fn connect(clusters: &Clusters, settings: &PostgresConfig) -> Result<Self, ConfigError> {
        let cluster = |cluster: &Cluster| {
            let config = PostgresConfig { url: cluster.url.clone(), ..settings.clone() };
            let pool = Postgres::connect(&config)?;
            Ok((cluster.name.clone(), PostgresCluster { config, pool }))
        };
        clusters.0.iter().map(cluster).collect::<Result<_, ConfigError>>().map(Self)
    }

    pub fn get(&self, name: &str) -> Option<&PostgresCluster> {
        self.0.get(name)
    }
}

pub struct MongoClusters(HashMap<String, MongoCluster>);

pub struct MongoCluster {
    config: MongoConfig,
    client: OnceCell<Client>,
}

impl MongoClusters {
    /// Opens no connection yet. `timeout` limits the search for a server, connecting, and each operation.
    pub fn connect(clusters: &Clusters, timeout: Duration) -> Self {
        let cluster = |cluster: &Cluster| {
            let config = MongoConfig { url: cluster.url.clone(), timeout };
            (cluster.name.clone(), MongoCluster { config, client: OnceCell::new() })
        };
        Self(clusters.0.iter().map(cluster).collect())
    }

    pub fn get(&self, name: &str) -> Option<&MongoCluster> {
        self.0.get(name)
    }
}

impl MongoCluster {
    pub async fn client(&self) -> Result<&Client> {
        self.client_once(async |_| Ok(())).await
    }

    /// The client, after `prepare` has succeeded on it once.
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
