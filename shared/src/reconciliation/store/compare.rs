//! SQL that compares what was observed with the ledger, and the platform database with itself.

use deadpool_postgres::GenericClient;
use time::OffsetDateTime;
use tokio_postgres::Row;

use super::findings::NewFinding;
use crate::{
    error::Result,
    operations::store::IS_STUCK,
    reconciliation::{FindingKind, FindingStore, Repair},
    sql,
    types::{ExportId, TenantId},
};

/// A database, or the objects of a tenant, that should exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::reconciliation) struct Expected {
    /// Name of the databases.
    pub(in crate::reconciliation) name: String,
    pub(in crate::reconciliation) tenant_id: TenantId,
}

/// The time of the platform database, whose clock decides what is older than an observation.
pub(in crate::reconciliation) async fn now(client: &impl GenericClient) -> Result<OffsetDateTime> {
    Ok(client.query_one("SELECT clock_timestamp()", &[]).await?.try_get(0)?)
}

/// What is wrong with databases that exist on a cluster, or of which it has users or roles, by their names. Databases that changed in the ledger after `observed_at`, and
/// those that an operation works on, are right.
pub(in crate::reconciliation) async fn list_unexpected(
    client: &impl GenericClient,
    (store, cluster): (FindingStore, &str),
    names: &[String],
    observed_at: OffsetDateTime,
) -> Result<Vec<NewFinding>> {
    let statement = client
        .prepare_cached(
            "SELECT n.name, d.tenant_id, d.state,
                    CASE $2 WHEN 'postgresql' THEN d.postgres_cluster ELSE d.mongo_cluster END, d.updated_at
             FROM unnest($1::text[]) AS n (name)
             LEFT JOIN tenant_databases d ON d.name = n.name
             WHERE d.name IS NULL
                 OR d.updated_at < $4
                     AND (d.state <> 'live'
                          OR CASE $2 WHEN 'postgresql' THEN d.postgres_cluster ELSE d.mongo_cluster END <> $3)
                     AND NOT EXISTS (SELECT FROM operations o WHERE o.database_name = d.name AND o.finished_at IS NULL)",
        )
        .await?;
    let rows = client.query(&statement, &[&names, &store, &cluster, &observed_at]).await?;
    rows.iter().map(|row| read_unexpected(row, cluster)).collect()
}

fn read_unexpected(row: &Row, cluster: &str) -> Result<NewFinding> {
    let (name, tenant_id): (String, Option<TenantId>) = (row.try_get(0)?, row.try_get(1)?);
    let (state, recorded): (Option<String>, Option<String>) = (row.try_get(2)?, row.try_get(3)?);
    let is_here = recorded.as_deref().is_none_or(|recorded| recorded == cluster);
    let is_placed = recorded.is_some();
    let kind = match state.as_deref() {
        None => FindingKind::Unknown,
        Some(_) if !is_here => FindingKind::Misplaced,
        Some("dropped" | "dropping") => FindingKind::Orphan,
        Some(_) => FindingKind::Contradiction,
    };
    let detail = match kind {
        FindingKind::Unknown => None,
        FindingKind::Misplaced => Some(format!("belongs on the cluster `{}`", recorded.unwrap_or_default())),
        _ => state.map(|state| format!("is `{state}` in the ledger")),
    };
    Ok(NewFinding {
        kind,
        subject: name.clone(),
        tenant_id,
        database_name: Some(name),
        detail,
        since: row.try_get(4)?,
        // A cleanup goes to the clusters that the ledger names.
        repair: (kind == FindingKind::Orphan && is_placed).then_some(Repair::Remove),
    })
}

/// Databases on a cluster that the platform's services may use although their tenant's status forbids it, or the other way round. `names`
/// and whether services may use each are what was observed. Those that an operation works on are right.
pub(in crate::reconciliation) async fn list_wrong_access(
    client: &impl GenericClient,
    (names, accessible): (&[String], &[bool]),
    observed_at: OffsetDateTime,
) -> Result<Vec<NewFinding>> {
    let statement = client
        .prepare_cached(
            "SELECT t.id, d.name, t.status, t.updated_at
             FROM unnest($1::text[], $2::boolean[]) AS n (name, is_accessible)
             JOIN tenant_databases d ON d.name = n.name
             JOIN tenants t ON t.id = d.tenant_id AND t.database_name = d.name
             WHERE d.state = 'live' AND d.updated_at < $3 AND t.updated_at < $3
                 AND n.is_accessible <> (t.status = 'active')
                 AND NOT EXISTS (SELECT FROM operations o WHERE o.database_name = d.name
                                     AND (o.finished_at IS NULL OR o.finished_at >= $3))",
        )
        .await?;
    let read = |row: &Row| {
        let status: String = row.try_get(2)?;
        let subject: String = row.try_get(1)?;
        let may = if status == "active" { "may not" } else { "may" };
        Ok(NewFinding {
            tenant_id: Some(row.try_get(0)?),
            database_name: Some(subject.clone()),
            detail: Some(format!("the tenant is {status}, and services {may} use the database")),
            since: Some(row.try_get(3)?),
            repair: ["active", "suspended"].contains(&&*status).then_some(Repair::Access),
            ..NewFinding::new(FindingKind::WrongAccess, subject)
        })
    };
    client.query(&statement, &[&names, &accessible, &observed_at]).await?.iter().map(read).collect()
}

/// A page of the databases that should exist on a cluster, in the order of their names.
pub(in crate::reconciliation) async fn list_expected(
    client: &impl GenericClient,
    (store, cluster): (FindingStore, &str),
    after: &str,
    limit: i64,
) -> Result<Vec<Expected>> {
    // One text for each index.
    let text = match store {
        FindingStore::Mongodb => sql::text!(
            "SELECT name, tenant_id FROM tenant_databases WHERE state = 'live' AND mongo_cluster = $1 AND name > $2
             ORDER BY name LIMIT $3"
        ),
        _ => sql::text!(
            "SELECT name, tenant_id FROM tenant_databases WHERE state = 'live' AND postgres_cluster = $1 AND name > $2
             ORDER BY name LIMIT $3"
        ),
    };
    let statement = client.prepare_cached(text).await?;
    read_expected(&client.query(&statement, &[&cluster, &after, &limit]).await?)
}

/// Those of the databases that are still expected on the cluster, as they were at `observed_at`.
pub(in crate::reconciliation) async fn list_still_expected(
    client: &impl GenericClient,
    (store, cluster): (FindingStore, &str),
    names: &[String],
    observed_at: OffsetDateTime,
) -> Result<Vec<Expected>> {
    let statement = client
        .prepare_cached(
            "SELECT name, tenant_id FROM tenant_databases
             WHERE name = ANY($1) AND state = 'live' AND updated_at < $4
                 AND CASE $2 WHEN 'postgresql' THEN postgres_cluster ELSE mongo_cluster END = $3",
        )
        .await?;
    read_expected(&client.query(&statement, &[&names, &store, &cluster, &observed_at]).await?)
}

/// The live tenants with ids after `after`, up to `last` (without it, all that follow, at most `limit`), that are not among `present`.
pub(in crate::reconciliation) async fn list_without_objects(
    client: &impl GenericClient,
    present: &[TenantId],
    after: TenantId,
    last: Option<TenantId>,
    observed_at: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Expected>> {
    let statement = client
        .prepare_cached(
            "SELECT name, tenant_id FROM tenant_databases
             WHERE state = 'live' AND updated_at < $4 AND tenant_id > $2 AND ($3::uuid IS NULL OR tenant_id <= $3)
                 AND tenant_id NOT IN (SELECT unnest($1::uuid[]))
             ORDER BY tenant_id LIMIT $5",
        )
        .await?;
    read_expected(&client.query(&statement, &[&present, &after, &last, &observed_at, &limit]).await?)
}

fn read_expected(rows: &[Row]) -> Result<Vec<Expected>> {
    rows.iter().map(|row| Ok(Expected { name: row.try_get(0)?, tenant_id: row.try_get(1)? })).collect()
}

/// Those of the tenants that have objects although none of their databases is in use: unknown ones (`None`), and those that have given
/// up their databases, with the time.
pub(in crate::reconciliation) async fn list_unexpected_objects(
    client: &impl GenericClient,
    present: &[TenantId],
    observed_at: OffsetDateTime,
) -> Result<Vec<(TenantId, Option<OffsetDateTime>)>> {
    let statement = client
        .prepare_cached(
            "SELECT p.id, max(d.updated_at)
             FROM unnest($1::uuid[]) AS p (id)
             LEFT JOIN tenant_databases d ON d.tenant_id = p.id
             WHERE NOT EXISTS (SELECT FROM operations o WHERE o.tenant_id = p.id AND o.finished_at IS NULL)
             GROUP BY p.id
             HAVING count(d.name) = 0
                 OR bool_and(d.state IN ('dropped', 'dropping', 'planned')) AND max(d.updated_at) < $2",
        )
        .await?;
    let rows = client.query(&statement, &[&present, &observed_at]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Files of an export that should not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::reconciliation) struct LeftFiles {
    pub(in crate::reconciliation) tenant_id: TenantId,
    pub(in crate::reconciliation) export_id: ExportId,
    /// Since when, and why. `None`: the platform database does not know the export.
    pub(in crate::reconciliation) given_up: Option<(OffsetDateTime, String)>,
}

/// Those of the exports in the bucket whose files should be gone. A bucket applies its rules once a day, to whole days.
pub(in crate::reconciliation) async fn list_left_files(
    client: &impl GenericClient,
    present: &[(TenantId, ExportId)],
    observed_at: OffsetDateTime,
) -> Result<Vec<LeftFiles>> {
    let (tenants, exports): (Vec<TenantId>, Vec<ExportId>) = present.iter().copied().unzip();
    let statement = client
        .prepare_cached(
            "SELECT p.tenant_id, p.id,
                    CASE WHEN e.finished_at IS NOT NULL THEN e.expires_at ELSE o.finished_at END,
                    CASE WHEN e.finished_at IS NOT NULL THEN 'files of an expired export; the bucket''s rule should have removed them'
                         ELSE 'files of an export that was not completed' END
             FROM unnest($1::uuid[], $2::uuid[]) AS p (tenant_id, id)
             LEFT JOIN exports e ON e.id = p.id AND e.tenant_id = p.tenant_id
             LEFT JOIN operations o ON o.id = e.operation_id
             WHERE e.id IS NULL OR e.expires_at < $3::timestamptz - interval '3 days'
                 OR e.finished_at IS NULL AND o.finished_at < $3",
        )
        .await?;
    let read = |row: &Row| {
        let (since, detail): (Option<OffsetDateTime>, String) = (row.try_get(2)?, row.try_get(3)?);
        let given_up = since.map(|since| (since, detail));
        Ok(LeftFiles { tenant_id: row.try_get(0)?, export_id: row.try_get(1)?, given_up })
    };
    client.query(&statement, &[&tenants, &exports, &observed_at]).await?.iter().map(read).collect()
}

/// The databases that an operation created and that were given up. `None` if they are in use.
pub(in crate::reconciliation) async fn find_given_up(
    client: &impl GenericClient,
    tenant_id: TenantId,
    creator: uuid::Uuid,
) -> Result<Option<String>> {
    let statement = client
        .prepare_cached(
            "SELECT name FROM tenant_databases
             WHERE tenant_id = $1 AND operation_id = $2 AND state IN ('dropped', 'dropping')",
        )
        .await?;
    client.query_opt(&statement, &[&tenant_id, &creator]).await?.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// Those of the tenants that do not exist, or are deleted.
pub(in crate::reconciliation) async fn list_unknown_tenants(
    client: &impl GenericClient,
    ids: &[TenantId],
) -> Result<Vec<TenantId>> {
    let statement = client
        .prepare_cached(
            "SELECT id FROM unnest($1::uuid[]) AS p (id)
             WHERE NOT EXISTS (SELECT FROM tenants t WHERE t.id = p.id AND t.status <> 'deleted')",
        )
        .await?;
    client.query(&statement, &[&ids]).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// What the platform database itself shows. The columns of each part: kind, subject, tenant, detail, since, repair.
const PLATFORM: &str = sql::text!(
    "
    SELECT 'stuck_operation', id::text, tenant_id,
           coalesce(reason, 'is due, and no worker has taken it'), created_at,
           CASE WHEN next_attempt_at < now() AND coalesce(lease_expires_at < now(), true) THEN 'wake' END
    FROM operations
    WHERE ",
    IS_STUCK,
    "
    UNION ALL
    SELECT 'unsettled_change', c.id::text, c.tenant_id, c.kind, c.created_at, 'settle'
    FROM tenant_changes c WHERE c.created_at < now() - interval '5 minutes'
    UNION ALL
    SELECT 'old_schema', t.id::text, t.id, 'version ' || t.schema_version || ', the newest is ' || $1::integer, NULL, NULL
    FROM tenants t WHERE t.status IN ('active', 'suspended') AND t.schema_version < $1
    UNION ALL
    SELECT 'contradiction', d.name, d.tenant_id,
           'is `' || d.state || '` in the ledger, and the tenant is `' || t.status || '`', d.updated_at, NULL
    FROM tenant_databases d
    JOIN tenants t ON t.id = d.tenant_id
    WHERE d.updated_at < now() - interval '2 minutes'
        AND NOT EXISTS (SELECT FROM operations o WHERE o.database_name = d.name AND o.finished_at IS NULL)
        AND CASE
                WHEN d.name = t.database_name AND t.status IN ('active', 'suspended') THEN d.state <> 'live'
                ELSE d.state NOT IN ('dropped', 'dropping')
            END"
);

/// A page of what the platform database itself shows.
pub(in crate::reconciliation) async fn list_contradictions(
    client: &impl GenericClient,
    newest_schema: i32,
    limit: i64,
) -> Result<Vec<NewFinding>> {
    let statement = client.prepare_cached(sql::text!("SELECT * FROM (", PLATFORM, ") AS f LIMIT $2")).await?;
    let read = |row: &Row| {
        let (kind, repair): (String, Option<String>) = (row.try_get(0)?, row.try_get(5)?);
        Ok(NewFinding {
            kind: FindingKind::from_text(&kind).unwrap_or(FindingKind::Contradiction),
            subject: row.try_get(1)?,
            tenant_id: row.try_get(2)?,
            database_name: None,
            detail: row.try_get(3)?,
            since: row.try_get(4)?,
            repair: repair.as_deref().and_then(Repair::from_text),
        })
    };
    client.query(&statement, &[&newest_schema, &limit]).await?.iter().map(read).collect()
}

/// The number of rows in the ledger.
pub(in crate::reconciliation) async fn count_ledger(client: &impl GenericClient) -> Result<i64> {
    Ok(client.query_one("SELECT count(*) FROM tenant_databases", &[]).await?.try_get(0)?)
}
