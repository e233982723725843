//! SQL of reconciliations: their progress and their results. The modules contain the comparisons and the repairs.

#[cfg(feature = "reconciliation")]
pub(super) mod compare;
#[cfg(feature = "reconciliation")]
pub(super) mod findings;
#[cfg(feature = "reconciliation")]
pub(super) mod observed;
#[cfg(feature = "reconciliation")]
pub(super) mod repair;

use std::time::Duration;

use deadpool_postgres::GenericClient;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_postgres::{Statement, types::ToSql};

use crate::{
    error::{Error, Result},
    reconciliation::{Finding, FindingKind, FindingStore, Reconciliation, ReconciliationFilter, ReconciliationReport},
    sql::{self, COUNTED_ROWS, Columns, Conditions},
    types::{Actor, Count, PageRequest, ReconciliationId},
};

/// The most findings that a result contains.
const MAX_FINDINGS: i64 = 1000;

/// How long results are kept.
const RETENTION: Duration = Duration::from_hours(30 * 24);

/// An unfinished reconciliation that is older is not continued.
const MAX_AGE: Duration = Duration::from_hours(24);

/// The right to work on a reconciliation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLease {
    pub id: ReconciliationId,
    pub token: i64,
    pub dry_run: bool,
    /// The newest one that has ended, from which the age of a finding is known.
    pub previous: Option<ReconciliationId>,
}

/// A row of the reconciliation `$1`, as long as it has not ended and the lease with the token `$2` is the newest. Nobody can take or end it
/// until the transaction ends, so that nothing is written after the next process has begun.
const HELD: &str =
    "held AS (SELECT id FROM reconciliations WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL FOR SHARE)";

/// Runs a statement that returns the row of [`HELD`]. Fails if there is none.
async fn write(client: &impl GenericClient, statement: &Statement, parameters: &[&(dyn ToSql + Sync)]) -> Result<()> {
    match client.query_opt(statement, parameters).await? {
        Some(_) => Ok(()),
        None => Err(Error::internal("another process has taken the reconciliation, or it has ended")),
    }
}

sql::columns! {
    ReconciliationColumns -> Reconciliation {
        id: "id",
        dry_run: "dry_run",
        requested_by: "requested_by",
        created_at: "created_at",
        finished_at: "finished_at",
        compared: "(SELECT coalesce(sum(compared), 0)::bigint FROM reconciliation_checks WHERE reconciliation_id = id)",
        unknown: "(SELECT coalesce(jsonb_agg(jsonb_build_object('store', store, 'cluster', cluster, 'reason', unknown)
                                            ORDER BY store, cluster), '[]')
                  FROM reconciliation_checks WHERE reconciliation_id = id AND unknown IS NOT NULL)" via from_json,
        counts: "(SELECT coalesce(jsonb_agg(jsonb_build_object('kind', kind, 'count', count) ORDER BY kind), '[]')
                 FROM (SELECT kind, count(*) FROM reconciliation_findings WHERE reconciliation_id = id GROUP BY kind) AS c)"
            via from_json,
    }
}

fn from_json<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(Error::internal)
}

sql::columns! {
    FindingColumns -> Finding {
        kind: "kind",
        store: "store",
        cluster: "cluster",
        subject: "subject",
        tenant_id: "tenant_id",
        detail: "detail",
        since: "since",
        age_seconds: "greatest(extract(epoch FROM now() - since), 0)::bigint",
        repair: "repair",
        repaired_at: "repaired_at",
        operation_id: "operation_id",
    }
}

/// Inserts a reconciliation that nobody works on yet.
pub async fn insert(client: &impl GenericClient, dry_run: bool, actor: Actor<'_>) -> Result<ReconciliationId> {
    let statement =
        client.prepare_cached("INSERT INTO reconciliations (id, dry_run, requested_by) VALUES ($1, $2, $3)").await?;
    let id = ReconciliationId::generate();
    client.execute(&statement, &[&id, &dry_run, &actor.id]).await?;
    Ok(id)
}

/// Inserts a dry run, if the schedule's last one was requested at least `interval` ago.
pub async fn insert_if_due(
    client: &impl GenericClient,
    interval: Duration,
    actor: Actor<'_>,
) -> Result<Option<ReconciliationId>> {
    let statement = client
        .prepare_cached(
            "INSERT INTO reconciliations (id, dry_run, requested_by)
             SELECT $1, true, $2
             WHERE NOT EXISTS (
                 SELECT FROM reconciliations
                 WHERE requested_by = $2 AND created_at > now() - make_interval(secs => $3)
             )",
        )
        .await?;
    let id = ReconciliationId::generate();
    let inserted = client.execute(&statement, &[&id, &actor.id, &interval.as_secs_f64()]).await?;
    Ok((inserted == 1).then_some(id))
}

/// The oldest reconciliation that has not ended and that nobody works on.
pub async fn find_interrupted(client: &impl GenericClient) -> Result<Option<ReconciliationId>> {
    let statement = client
        .prepare_cached(
            "SELECT id FROM reconciliations
             WHERE finished_at IS NULL AND created_at > now() - make_interval(secs => $1)
                 AND coalesce(lease_expires_at < now(), true)
             ORDER BY created_at LIMIT 1",
        )
        .await?;
    let row = client.query_opt(&statement, &[&MAX_AGE.as_secs_f64()]).await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// Takes the lease of a reconciliation for `duration`. `None` if it has ended, or another process has the lease.
pub async fn take(client: &impl GenericClient, id: ReconciliationId, duration: Duration) -> Result<Option<RunLease>> {
    let statement = client
        .prepare_cached(
            "UPDATE reconciliations
             SET lease_token = lease_token + 1, lease_expires_at = clock_timestamp() + make_interval(secs => $2)
             WHERE id = $1 AND finished_at IS NULL AND coalesce(lease_expires_at < clock_timestamp(), true)
             RETURNING lease_token, dry_run,
                 (SELECT id FROM reconciliations WHERE finished_at IS NOT NULL ORDER BY created_at DESC LIMIT 1)",
        )
        .await?;
    let row = client.query_opt(&statement, &[&id, &duration.as_secs_f64()]).await?;
    row.map(|row| Ok(RunLease { id, token: row.try_get(0)?, dry_run: row.try_get(1)?, previous: row.try_get(2)? }))
        .transpose()
}

/// Gives the lease back, so that another process can go on.
pub async fn release(client: &impl GenericClient, lease: RunLease) -> Result<()> {
    let statement = client
        .prepare_cached("UPDATE reconciliations SET lease_expires_at = NULL WHERE id = $1 AND lease_token = $2")
        .await?;
    client.execute(&statement, &[&lease.id, &lease.token]).await?;
    Ok(())
}

/// The store and the cluster of each check that is done.
pub async fn list_done(client: &impl GenericClient, id: ReconciliationId) -> Result<Vec<(FindingStore, String)>> {
    let statement =
        client.prepare_cached("SELECT store, cluster FROM reconciliation_checks WHERE reconciliation_id = $1").await?;
    let rows = client.query(&statement, &[&id]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Records that a check is done: how much was compared, or why the store could not be looked at. Fails if another process has taken
/// the reconciliation.
pub async fn end_check(
    client: &impl GenericClient,
    lease: RunLease,
    part: (FindingStore, &str),
    result: std::result::Result<i64, String>,
) -> Result<()> {
    let statement = client
        .prepare_cached(sql::text!(
            "WITH ",
            HELD,
            ", written AS (
                 INSERT INTO reconciliation_checks (reconciliation_id, store, cluster, compared, unknown)
                 SELECT id, $3, $4, $5, $6 FROM held
                 ON CONFLICT DO NOTHING)
             SELECT FROM held"
        ))
        .await?;
    let (compared, unknown) = match result {
        Ok(compared) => (compared, None),
        Err(reason) => (0, Some(reason)),
    };
    write(client, &statement, &[&lease.id, &lease.token, &part.0, &part.1, &compared, &unknown]).await
}

/// Whether this process still has the reconciliation.
pub async fn is_held(client: &impl GenericClient, lease: RunLease) -> Result<bool> {
    let statement = client.prepare_cached(sql::text!("WITH ", HELD, " SELECT FROM held")).await?;
    Ok(client.query_opt(&statement, &[&lease.id, &lease.token]).await?.is_some())
}

/// Ends a reconciliation. `false` if another process has taken it.
pub async fn finish(client: &impl GenericClient, lease: RunLease) -> Result<bool> {
    let statement = client
        .prepare_cached(
            "UPDATE reconciliations SET finished_at = clock_timestamp(), lease_expires_at = NULL
             WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL",
        )
        .await?;
    Ok(client.execute(&statement, &[&lease.id, &lease.token]).await? == 1)
}

/// Deletes old reconciliations.
pub async fn prune(client: &impl GenericClient) -> Result<u64> {
    let statement = client
        .prepare_cached("DELETE FROM reconciliations WHERE created_at < now() - make_interval(secs => $1)")
        .await?;
    Ok(client.execute(&statement, &[&RETENTION.as_secs_f64()]).await?)
}

/// A reconciliation with its findings so far: all, or those of one kind.
pub async fn find(
    client: &impl GenericClient,
    id: ReconciliationId,
    kind: Option<FindingKind>,
) -> Result<ReconciliationReport> {
    let statement = client
        .prepare_cached(sql::text!("SELECT ", ReconciliationColumns::LIST, " FROM reconciliations WHERE id = $1"))
        .await?;
    let row = client.query_opt(&statement, &[&id]).await?;
    let row = row.ok_or(Error::NotFound { what: "reconciliation" })?;
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            FindingColumns::LIST,
            " FROM reconciliation_findings WHERE reconciliation_id = $1 AND ($3::text IS NULL OR kind = $3)
             ORDER BY repair IS NULL, kind = 'unknown', since, store, cluster, kind, subject
             LIMIT $2"
        ))
        .await?;
    let findings = client.query(&statement, &[&id, &MAX_FINDINGS, &kind]).await?;
    let findings = findings.iter().map(FindingColumns::read).collect::<Result<_>>()?;
    Ok(ReconciliationReport { reconciliation: ReconciliationColumns::read(&row)?, findings })
}

/// A page of reconciliations. Contains one more than the limit if the list continues.
pub async fn list(
    client: &impl GenericClient,
    filter: &ReconciliationFilter,
    page: PageRequest,
) -> Result<Vec<Reconciliation>> {
    let limit = i64::try_from(page.limit.get() + 1).map_err(Error::internal)?;
    let mut conditions = Conditions::after(vec![&limit]);
    narrow(&mut conditions, filter);
    let order = conditions.page("created_at", "id", &page);
    let statement = client
        .prepare_cached(&format!(
            "SELECT {} FROM ({}) AS r ORDER BY {order}",
            ReconciliationColumns::LIST,
            conditions.page_query("SELECT * FROM reconciliations", None, &order)
        ))
        .await?;
    conditions.rows(client, &statement).await?.iter().map(ReconciliationColumns::read).collect()
}

/// The number of reconciliations.
pub async fn count(client: &impl GenericClient, filter: &ReconciliationFilter) -> Result<Count> {
    let mut conditions = Conditions::after(vec![&COUNTED_ROWS]);
    narrow(&mut conditions, filter);
    conditions.count(client, "reconciliations").await
}

fn narrow<'a>(conditions: &mut Conditions<'a>, filter: &'a ReconciliationFilter) {
    if let Some(dry_run) = filter.dry_run {
        conditions.add(if dry_run { "dry_run" } else { "NOT dry_run" }.to_owned());
    }
    conditions.created_in(&filter.created);
}
