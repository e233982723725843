//! The stores that tenants' databases are made in: clients that are made at first use and kept between invocations.

use std::{collections::HashMap, time::Duration};

use mongodb::Client;
use tokio::sync::OnceCell;

use super::{fault::Fault, steps::mongodb_database::fence};
use crate::{
    clients::{mongo, postgres::Postgres, s3::Bucket},
    config::{Clusters, ConfigError, MongoConfig, PostgresConfig},
};

/// How long a statement on a cluster may take: cloning a database is more than a query.
const CLUSTER_STATEMENT_TIMEOUT: Duration = Duration::from_secs(12);

/// The clusters, by name, and the bucket.
pub struct Stores {
    /// The PostgreSQL clusters, as configured.
    pub postgres_clusters: Clusters,
    /// The MongoDB clusters, as configured.
    pub mongo_clusters: Clusters,
    /// The bucket of all tenants.
    pub bucket: Bucket,
    postgres: HashMap<String, PostgresCluster>,
    mongo: HashMap<String, MongoCluster>,
}

/// A PostgreSQL cluster.
pub(super) struct PostgresCluster {
    /// How to connect to it.
    pub(super) config: PostgresConfig,
    /// Sessions in the database that the cluster's URL names.
    pub(super) pool: Postgres,
}

struct MongoCluster {
    config: MongoConfig,
    client: OnceCell<Client>,
}

impl Stores {
    /// Connects to nothing yet. A PostgreSQL cluster has its URL and takes everything else from `postgres`;
    /// `mongo_timeout` is how long to look for a MongoDB server, to connect, and to wait for an operation.
    pub fn connect(
        postgres_clusters: Clusters,
        postgres: &PostgresConfig,
        mongo_clusters: Clusters,
        mongo_timeout: Duration,
        bucket: Bucket,
    ) -> Result<Self, ConfigError> {
        let postgres = postgres_clusters
            .0
            .iter()
            .map(|cluster| {
                let config = PostgresConfig {
                    url: cluster.url.clone(),
                    statement_timeout: postgres.statement_timeout.max(CLUSTER_STATEMENT_TIMEOUT),
                    ..postgres.clone()
                };
                let pool = Postgres::connect(&config)?;
                Ok((cluster.name.clone(), PostgresCluster { config, pool }))
            })
            .collect::<Result<_, ConfigError>>()?;
        let mongo = mongo_clusters
            .0
            .iter()
            .map(|cluster| {
                let config = MongoConfig { url: cluster.url.clone(), timeout: mongo_timeout };
                (cluster.name.clone(), MongoCluster { config, client: OnceCell::new() })
            })
            .collect();
        Ok(Self { postgres_clusters, mongo_clusters, bucket, postgres, mongo })
    }

    /// The PostgreSQL cluster of a name.
    pub(super) fn postgres(&self, name: &str) -> Result<&PostgresCluster, Fault> {
        self.postgres.get(name).ok_or_else(|| unknown("PostgreSQL", name))
    }

    /// The client of the MongoDB cluster of a name.
    pub(super) async fn mongo(&self, name: &str) -> Result<&Client, Fault> {
        let cluster = self.mongo.get(name).ok_or_else(|| unknown("MongoDB", name))?;
        cluster
            .client
            .get_or_try_init(|| async {
                let client = mongo::connect(&cluster.config).await?;
                fence::prepare(&client).await?;
                Ok(client)
            })
            .await
    }
}

fn unknown(kind: &str, name: &str) -> Fault {
    Fault::permanent(format!("The {kind} cluster `{name}`, where the tenant is placed, is not configured"))
}
