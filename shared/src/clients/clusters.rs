//! The clusters of the tenants' databases, by the names in the tenants' rows. Each client is created at first use and kept
//! between invocations.

use std::collections::HashMap;

use mongodb::Client;
use tokio::sync::OnceCell;

use crate::clients::{mongo::MongoServer, postgres::Postgres};
use crate::{
    config::{Cluster, Clusters, ConfigError, MongoSettings, PostgresConfig},
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
            let config = settings.of_cluster(cluster);
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
    server: MongoServer,
    client: OnceCell<Client>,
}

impl MongoClusters {
    /// Opens no connection yet.
    pub fn connect(clusters: &Clusters, settings: &MongoSettings) -> Result<Self, ConfigError> {
        let cluster = |cluster: &Cluster| {
            let server = MongoServer::new(&cluster.url, settings)?;
            Ok((cluster.name.clone(), MongoCluster { server, client: OnceCell::new() }))
        };
        clusters.0.iter().map(cluster).collect::<Result<_, ConfigError>>().map(Self)
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
                let client = self.server.connect().await?;
                prepare(&client).await?;
                Ok(client)
            })
            .await
    }
}
