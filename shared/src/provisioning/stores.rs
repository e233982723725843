//! The stores that tenants' databases are made in.

use std::time::Duration;

use mongodb::Client;

use crate::provisioning::{fault::StepError, steps::mongodb_database::fence};
use crate::{
    clients::{
        clusters::{MongoClusters, PostgresCluster, PostgresClusters},
        s3::Bucket,
    },
    config::{Clusters, ConfigError, PostgresConfig},
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
    postgres: PostgresClusters,
    mongo: MongoClusters,
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
        let statement_timeout = postgres.statement_timeout.max(CLUSTER_STATEMENT_TIMEOUT);
        let settings = PostgresConfig { statement_timeout, ..postgres.clone() };
        let postgres = PostgresClusters::connect(&postgres_clusters, &settings)?;
        let mongo = MongoClusters::connect(&mongo_clusters, mongo_timeout);
        Ok(Self { postgres_clusters, mongo_clusters, bucket, postgres, mongo })
    }

    /// The PostgreSQL cluster of a name.
    pub(super) fn postgres(&self, name: &str) -> Result<&PostgresCluster, StepError> {
        self.postgres.get(name).ok_or_else(|| unknown("PostgreSQL", name))
    }

    /// The client of the MongoDB cluster of a name, where the collection of fences is.
    pub(super) async fn mongo(&self, name: &str) -> Result<&Client, StepError> {
        let cluster = self.mongo.get(name).ok_or_else(|| unknown("MongoDB", name))?;
        Ok(cluster.client_once(fence::prepare).await?)
    }
}

fn unknown(kind: &str, name: &str) -> StepError {
    StepError::permanent(format!("The {kind} cluster `{name}`, where the tenant is placed, is not configured"))
}
