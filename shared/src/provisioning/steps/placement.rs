//! Which clusters hold the tenant's databases.

use std::collections::HashMap;

use crate::{
    clients::postgres::Postgres,
    config::{Cluster, Clusters},
    operations::{
        StepName,
        store::journal::{self, Lease},
    },
    provisioning::{fault::StepError, stores::Stores},
    tenants::{TENANT_SCHEMA_VERSION, store::placement},
    types::Placement,
};

/// Places the tenant, unless it is placed, and writes so, in one transaction.
pub(in crate::provisioning) async fn apply(
    platform: &Postgres,
    stores: &Stores,
    lease: Lease,
) -> Result<Placement, StepError> {
    let mut connection = platform.get().await?;
    let transaction = connection.transaction().await?;
    placement::lock(&transaction).await?;
    let placed = if let Some(placed) = placement::find_for_update(&transaction, lease.tenant_id).await? {
        placed
    } else {
        let postgres = placement::count_by_postgres_cluster(&transaction).await?;
        let mongo = placement::count_by_mongo_cluster(&transaction).await?;
        let placed = Placement {
            postgres_cluster: choose("PostgreSQL", &stores.postgres_clusters, &postgres)?,
            mongo_cluster: choose("MongoDB", &stores.mongo_clusters, &mongo)?,
        };
        placement::update(&transaction, lease.tenant_id, &placed).await?;
        placed
    };
    journal::set_schema_version(&transaction, lease, TENANT_SCHEMA_VERSION).await?;
    journal::record_with(&transaction, lease, StepName::Placement).await?;
    transaction.commit().await?;
    Ok(placed)
}

fn choose(kind: &str, clusters: &Clusters, counts: &HashMap<String, i64>) -> Result<String, StepError> {
    if let Some(cluster) = roomiest(clusters, counts) {
        return Ok(cluster.name.clone());
    }
    // An alarm counts these lines.
    tracing::error!(alarm = "no_cluster_has_room", cluster.kind = kind, "no open cluster has room for another tenant");
    Err(StepError::permanent(format!("No {kind} cluster that is open has room for another tenant")))
}

/// The open cluster with most room, the first of equals; `None` when every open one is full.
fn roomiest<'a>(clusters: &'a Clusters, counts: &HashMap<String, i64>) -> Option<&'a Cluster> {
    let room = |cluster: &Cluster| cluster.max_tenants - counts.get(&cluster.name).copied().unwrap_or(0);
    clusters.0.iter().rev().filter(|cluster| cluster.open && room(cluster) > 0).max_by_key(|cluster| room(cluster))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(name: &str, max_tenants: i64, open: bool) -> Cluster {
        Cluster { name: name.to_owned(), url: "".into(), max_tenants, open }
    }

    fn chosen(clusters: Vec<Cluster>, counts: &[(&str, i64)]) -> Option<String> {
        let counts = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        roomiest(&Clusters(clusters), &counts).map(|cluster| cluster.name.clone())
    }

    #[test]
    fn a_tenant_goes_to_the_open_cluster_with_most_room() {
        let clusters = || vec![cluster("a", 10, true), cluster("b", 10, true), cluster("closed", 99, false)];
        assert_eq!(chosen(clusters(), &[]), Some("a".to_owned()));
        assert_eq!(chosen(clusters(), &[("a", 5), ("b", 4)]), Some("b".to_owned()));
        assert_eq!(chosen(clusters(), &[("a", 10), ("b", 9)]), Some("b".to_owned()));
    }

    #[test]
    fn a_full_platform_has_no_cluster_for_a_tenant() {
        assert_eq!(chosen(vec![cluster("a", 2, true), cluster("b", 5, false)], &[("a", 2)]), None);
        assert_eq!(chosen(vec![cluster("a", 2, true)], &[("a", 3)]), None);
    }
}
