//! SQL of the table `clusters`.

use std::collections::{BTreeMap, HashMap};

use deadpool_postgres::{GenericClient, Transaction};
use time::OffsetDateTime;

use crate::{
    clusters::{Breaker, BreakerState, Cluster, ClusterKind},
    config,
    error::Result,
    operations::store::breakers::Purpose,
    sql::{self, Columns},
    tenants::store::placement,
};

/// Replaces the recorded clusters of a kind, except those of a caller that places tenants by those of one that does not.
pub async fn replace(
    transaction: &Transaction<'_>,
    kind: ClusterKind,
    clusters: &[config::Cluster],
    is_placing: bool,
) -> Result<()> {
    let names: Vec<_> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    let caps: Vec<_> = clusters.iter().map(|cluster| cluster.max_tenants).collect();
    let open: Vec<_> = clusters.iter().map(|cluster| cluster.open).collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO clusters AS c (store, name, max_tenants, open, is_placing)
             SELECT $1, name, max_tenants, open, $5
             FROM unnest($2::text[], $3::bigint[], $4::boolean[]) AS l (name, max_tenants, open)
             WHERE $5 OR NOT EXISTS (SELECT FROM clusters WHERE store = $1 AND is_placing)
             ORDER BY name
             ON CONFLICT (store, name) DO UPDATE
             SET max_tenants = excluded.max_tenants, open = excluded.open, is_placing = excluded.is_placing,
                 recorded_at = now()
             WHERE (c.max_tenants, c.open, c.is_placing) IS DISTINCT FROM (excluded.max_tenants, excluded.open, $5)",
        )
        .await?;
    transaction.execute(&statement, &[&kind, &names, &caps, &open, &is_placing]).await?;
    let statement = transaction
        .prepare_cached("DELETE FROM clusters WHERE store = $1 AND ($3 OR NOT is_placing) AND name <> ALL ($2)")
        .await?;
    transaction.execute(&statement, &[&kind, &names, &is_placing]).await?;
    Ok(())
}

/// A recorded cluster.
struct RecordedCluster {
    kind: ClusterKind,
    name: String,
    max_tenants: i64,
    open: bool,
    recorded_at: OffsetDateTime,
}

sql::columns! {
    RecordedColumns -> RecordedCluster {
        kind: "store",
        name: "name",
        max_tenants: "max_tenants",
        open: "open",
        recorded_at: "recorded_at",
    }
}

/// The circuit breaker of a cluster.
struct BreakerRow {
    purpose: Purpose,
    kind: ClusterKind,
    name: String,
    faults: i32,
    open_until: Option<OffsetDateTime>,
    is_open: bool,
}

sql::columns! {
    BreakerColumns -> BreakerRow {
        purpose: "purpose",
        kind: "store",
        name: "cluster",
        faults: "faults",
        open_until: "open_until",
        is_open: "coalesce(open_until > now(), false)",
    }
}

impl BreakerRow {
    fn breaker(&self) -> Breaker {
        let state = match (self.is_open, self.open_until) {
            (true, _) => BreakerState::Open,
            (false, Some(_)) => BreakerState::HalfOpen,
            (false, None) => BreakerState::Closed,
        };
        Breaker { state, faults: self.faults, open_until: self.open_until.filter(|_| self.is_open) }
    }
}

const CLOSED: Breaker = Breaker { state: BreakerState::Closed, faults: 0, open_until: None };

/// The configured clusters, and those that tenants are placed on, by kind and name.
pub async fn list(client: &impl GenericClient) -> Result<Vec<Cluster>> {
    let measured_at = OffsetDateTime::now_utc();
    let recorded = async {
        let statement = client.prepare_cached(sql::text!("SELECT ", RecordedColumns::LIST, " FROM clusters")).await?;
        let rows = client.query(&statement, &[]).await?;
        rows.iter().map(RecordedColumns::read).collect::<Result<Vec<_>>>()
    };
    let breakers = async {
        let statement = client
            .prepare_cached(sql::text!(
                "SELECT ",
                BreakerColumns::LIST,
                " FROM store_breakers WHERE store IN ('postgresql', 'mongodb')"
            ))
            .await?;
        let rows = client.query(&statement, &[]).await?;
        rows.iter().map(BreakerColumns::read).collect::<Result<Vec<_>>>()
    };
    let (recorded, breakers, postgres, mongo) = futures::try_join!(
        recorded,
        breakers,
        placement::count_by_postgres_cluster(client),
        placement::count_by_mongo_cluster(client),
    )?;
    let breaker = |purpose: Purpose, kind: ClusterKind, name: &str| {
        let found = breakers.iter().find(|one| (one.purpose, one.kind, one.name.as_str()) == (purpose, kind, name));
        found.map_or(CLOSED, BreakerRow::breaker)
    };
    let tenants: [(ClusterKind, HashMap<String, i64>); 2] =
        [(ClusterKind::Postgresql, postgres), (ClusterKind::Mongodb, mongo)];
    let mut clusters = Vec::new();
    for (kind, mut tenants) in tenants {
        let configured = recorded.iter().filter(|one| one.kind == kind);
        let mut all: BTreeMap<String, (i64, Option<&RecordedCluster>)> =
            configured.map(|one| (one.name.clone(), (tenants.remove(&one.name).unwrap_or(0), Some(one)))).collect();
        all.extend(tenants.into_iter().map(|(name, tenants)| (name, (tenants, None))));
        clusters.extend(all.into_iter().map(|(name, (tenants, recorded))| Cluster {
            kind,
            tenants,
            max_tenants: recorded.map(|one| one.max_tenants),
            open: recorded.is_some_and(|one| one.open),
            is_configured: recorded.is_some(),
            recorded_at: recorded.map(|one| one.recorded_at),
            operations: breaker(Purpose::Operations, kind, &name),
            measuring: breaker(Purpose::Measuring, kind, &name),
            name,
            measured_at,
        }));
    }
    Ok(clusters)
}
