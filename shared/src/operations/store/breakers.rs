//! SQL of the circuit breakers: while a store fails for every operation, only one of them tries it from time to time. Measuring has
//! breakers of its own, because it uses other logins and timeouts.

use std::time::Duration;

use deadpool_postgres::GenericClient;
use serde::Serialize;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{
    error::Result,
    sql::RowReader,
    types::{OperationId, Placement, TenantId},
};

keyword_enum!(
    /// A kind of store that operations need.
    StoreKind {
        /// A `PostgreSQL` cluster.
        Postgresql = "postgresql",
        /// A `MongoDB` cluster.
        Mongodb = "mongodb",
        /// The bucket.
        ObjectStorage = "object_storage",
    }
);

keyword_enum!(
    /// Whose breakers.
    Purpose {
        /// Of operations.
        Operations = "operations",
        /// Of the measurement of tenants' usage.
        Measuring = "measuring",
    }
);

/// A store that is not tried for now.
#[derive(Debug, PartialEq, Eq)]
pub struct OpenBreaker {
    pub store: StoreKind,
    /// Name of the cluster; empty for object storage.
    pub cluster: String,
    /// Until the store may be tried again.
    pub wait: Duration,
}

/// Operations, or tenants, that must meet a fault in a row to open a breaker. The faults of one may concern its own database only.
const FAULTS: i32 = 3;

/// How long a breaker stays open after a fault, and how long the one that tries the store afterwards has time for it.
const OPEN_FOR: Duration = Duration::from_secs(30);

/// The open breaker of a store that operations with this placement need, if any, as in [`list_open`].
pub async fn find_open(client: &impl GenericClient, placement: &Placement) -> Result<Option<OpenBreaker>> {
    Ok(list_open(client, Purpose::Operations, placement).await?.into_iter().next())
}

/// The open breakers of the stores of this placement, the longest wait first. If a breaker has been open long enough, the caller tries the
/// store; for others the breaker is open again meanwhile.
pub async fn list_open(
    client: &impl GenericClient,
    purpose: Purpose,
    placement: &Placement,
) -> Result<Vec<OpenBreaker>> {
    let statement = client
        .prepare_cached(
            "WITH needed (store, cluster) AS (VALUES ('postgresql', $1), ('mongodb', $2), ('object_storage', '')),
             trying AS (
                 UPDATE store_breakers b SET open_until = clock_timestamp() + make_interval(secs => $3)
                 FROM needed
                 WHERE b.purpose = $4 AND b.store = needed.store AND b.cluster = needed.cluster
                     AND b.open_until <= clock_timestamp()
                 RETURNING b.store, b.cluster
             )
             SELECT b.store, b.cluster,
                    CASE WHEN b.open_until > now() THEN extract(epoch FROM b.open_until - now())::float8 ELSE $3 END
             FROM store_breakers b
             JOIN needed USING (store, cluster)
             WHERE b.purpose = $4 AND b.open_until IS NOT NULL
                 AND NOT EXISTS (SELECT FROM trying WHERE trying.store = b.store AND trying.cluster = b.cluster)
             ORDER BY 3 DESC",
        )
        .await?;
    let parameters: [&(dyn ToSql + Sync); 4] =
        [&placement.postgres_cluster, &placement.mongo_cluster, &OPEN_FOR.as_secs_f64(), &purpose];
    let rows = client.query(&statement, &parameters).await?;
    let read = rows.iter().map(|row| {
        let mut columns = RowReader::new(row, 0);
        let (store, cluster) = (columns.take()?, columns.take()?);
        Ok(OpenBreaker { store, cluster, wait: Duration::from_secs_f64(columns.take()?) })
    });
    read.collect()
}

/// The names of the clusters of a kind that operations do not try for now.
pub async fn list_open_clusters(client: &impl GenericClient, store: StoreKind) -> Result<Vec<String>> {
    let statement = client
        .prepare_cached(
            "SELECT cluster FROM store_breakers WHERE purpose = 'operations' AND store = $1 AND open_until > now()",
        )
        .await?;
    client.query(&statement, &[&store]).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Lets the next operation try the stores that this tenant needs.
pub async fn end_waits(client: &impl GenericClient, tenant_id: TenantId) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE store_breakers b SET open_until = now()
             FROM tenants t
             WHERE t.id = $1 AND b.purpose = 'operations' AND b.open_until > now()
                 AND (b.store, b.cluster) IN
                     (('postgresql', t.postgres_cluster), ('mongodb', t.mongo_cluster), ('object_storage', ''))",
        )
        .await?;
    client.execute(&statement, &[&tenant_id]).await?;
    Ok(())
}

/// Records that an operation met a fault of a store, as [`count_fault`].
pub async fn record_fault(
    client: &impl GenericClient,
    store: StoreKind,
    cluster: &str,
    operation_id: OperationId,
) -> Result<()> {
    count_fault(client, Purpose::Operations, store, cluster, operation_id.0).await
}

/// Records that an operation, or the measurement of a tenant, met a fault of a store. The third `subject` in a row opens the breaker, and
/// each further fault keeps it open.
pub async fn count_fault(
    client: &impl GenericClient,
    purpose: Purpose,
    store: StoreKind,
    cluster: &str,
    subject: Uuid,
) -> Result<()> {
    let statement = client
        .prepare_cached(
            "INSERT INTO store_breakers AS b (purpose, store, cluster, subject_id) VALUES ($6, $1, $2, $3)
             ON CONFLICT (purpose, store, cluster) DO UPDATE
             SET faults = b.faults + (b.subject_id <> $3)::integer, subject_id = $3, updated_at = now(),
                 open_until = CASE WHEN b.faults + (b.subject_id <> $3)::integer >= $4
                     THEN now() + make_interval(secs => $5) END",
        )
        .await?;
    client.execute(&statement, &[&store, &cluster, &subject, &FAULTS, &OPEN_FOR.as_secs_f64(), &purpose]).await?;
    Ok(())
}

/// Closes the breaker of a store, which works for operations.
pub async fn close(client: &impl GenericClient, store: StoreKind, cluster: &str) -> Result<()> {
    close_of(client, Purpose::Operations, store, cluster).await
}

/// Closes the breaker of a store, which works.
pub async fn close_of(client: &impl GenericClient, purpose: Purpose, store: StoreKind, cluster: &str) -> Result<()> {
    let statement =
        client.prepare_cached("DELETE FROM store_breakers WHERE purpose = $1 AND store = $2 AND cluster = $3").await?;
    client.execute(&statement, &[&purpose, &store, &cluster]).await?;
    Ok(())
}
