//! Use case: record the configured clusters without their URLs.

use crate::{
    clients::postgres::Postgres,
    clusters::{ClusterKind, store},
    config::Clusters,
    error::Result,
};

/// The configured clusters of both kinds.
#[derive(Debug, Clone)]
pub struct ClusterLists {
    pub postgres: Clusters,
    pub mongo: Clusters,
}

/// Records clusters. `is_placing`: the caller places tenants, so that its list decides. Of another caller, only clusters count that no
/// placing one has recorded. Clusters that are not in the list any more are removed. Writes nothing if nothing has changed.
pub async fn record(platform: &Postgres, lists: &ClusterLists, is_placing: bool) -> Result<()> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    for (kind, clusters) in [(ClusterKind::Postgresql, &lists.postgres), (ClusterKind::Mongodb, &lists.mongo)] {
        store::replace(&transaction, kind, &clusters.0, is_placing).await?;
    }
    Ok(transaction.commit().await?)
}
