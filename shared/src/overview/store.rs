//! SQL of the overview. Each query reads an index, and what it reads is bounded by what is open, by what happened in a period, or by a
//! limit; only the tenants are counted as a whole, by [`health`](crate::health::store::count_tenants).

use std::collections::BTreeMap;

use deadpool_postgres::GenericClient;
use time::OffsetDateTime;

use crate::{
    audit::{AuditAction, AuditOutcome},
    error::Result,
    operations::store::IS_STUCK,
    overview::{ActionCount, OverviewTenant, TenantOverLimit},
    sql::{self, COUNTED_ROWS, Columns},
    types::{Count, Month},
    usage::Figure,
};

/// Provisionings that were requested in a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProvisioningCounts {
    pub requested: i64,
    pub succeeded: i64,
    pub failed: i64,
    /// From the request to the end of those that have succeeded.
    pub median_seconds: Option<f64>,
    pub p95_seconds: Option<f64>,
}

sql::columns! {
    ProvisioningColumns -> ProvisioningCounts {
        requested: "count(*)",
        succeeded: "count(*) FILTER (WHERE status = 'succeeded')",
        failed: "count(*) FILTER (WHERE status = 'failed')",
        median_seconds: "(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - created_at)::float8)
            FILTER (WHERE status = 'succeeded'))",
        p95_seconds: "(percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - created_at)::float8)
            FILTER (WHERE status = 'succeeded'))",
    }
}

/// Counts the provisionings that were requested since `since`.
pub async fn count_provisionings(client: &impl GenericClient, since: OffsetDateTime) -> Result<ProvisioningCounts> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            ProvisioningColumns::LIST,
            " FROM operations WHERE kind IN ('provision', 'retry') AND created_at >= $1"
        ))
        .await?;
    ProvisioningColumns::read(&client.query_one(&statement, &[&since]).await?)
}

/// Operations that are open, and those that have failed in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationCounts {
    pub open: i64,
    pub running: i64,
    pub stuck: i64,
    pub failed: i64,
}

/// Counts the open operations, and those that have failed since `since`.
pub async fn count_operations(client: &impl GenericClient, since: OffsetDateTime) -> Result<OperationCounts> {
    let statement = client
        .prepare_cached(&format!(
            "SELECT count(*), count(*) FILTER (WHERE status = 'running'), count(*) FILTER (WHERE {IS_STUCK}),
                    (SELECT count(*) FROM operations WHERE status = 'failed' AND finished_at >= $1)
             FROM operations WHERE finished_at IS NULL"
        ))
        .await?;
    let row = client.query_one(&statement, &[&since]).await?;
    let number = |column: usize| row.try_get::<_, i64>(column);
    Ok(OperationCounts { open: number(0)?, running: number(1)?, stuck: number(2)?, failed: number(3)? })
}

/// The messages that are pending.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutboxCounts {
    pub pending: Count,
    pub oldest_age_seconds: Option<f64>,
}

/// Counts the pending messages up to the number that lists are counted to. The oldest has the lowest id.
pub async fn count_outbox(client: &impl GenericClient) -> Result<OutboxCounts> {
    let statement = client
        .prepare_cached(
            "SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT $1) AS counted),
                    (SELECT extract(epoch FROM greatest(now() - created_at, '0'))::float8
                     FROM outbox ORDER BY id LIMIT 1)",
        )
        .await?;
    let row = client.query_one(&statement, &[&COUNTED_ROWS]).await?;
    let counted: i64 = row.try_get(0)?;
    let pending = Count { number: counted.min(COUNTED_ROWS - 1), is_exact: counted < COUNTED_ROWS };
    Ok(OutboxCounts { pending, oldest_age_seconds: row.try_get(1)? })
}

sql::columns! {
    TenantColumns -> OverviewTenant {
        tenant_id: "id",
        name: "name",
        slug: "slug",
        status: "status",
        value: "value",
        limit: "maximum",
        measured_at: "measured_at",
    }
}

/// The tenants with the most messages in `month`, the current one.
pub async fn list_most_messages(client: &impl GenericClient, month: Month, limit: i64) -> Result<Vec<OverviewTenant>> {
    // The rank of no messages in the month, so that no row of an earlier month is read.
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            TenantColumns::LIST,
            " FROM (
                 SELECT id, name, slug, status, greatest(messages_measured, messages_counted) AS value,
                        max_messages_month AS maximum, measured_at
                 FROM tenant_usage JOIN tenants ON id = tenant_id
                 WHERE messages_rank >= ($1::date - DATE '2000-01-01')::bigint * 10000000000000 AND status <> 'deleted'
                 ORDER BY messages_rank DESC, tenant_id DESC
                 LIMIT $2
             ) AS top"
        ))
        .await?;
    let rows = client.query(&statement, &[&month.first_day(), &limit]).await?;
    rows.iter().map(TenantColumns::read).collect()
}

/// The tenants with the most storage.
pub async fn list_most_storage(client: &impl GenericClient, limit: i64) -> Result<Vec<OverviewTenant>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            TenantColumns::LIST,
            " FROM (
                 SELECT id, name, slug, status, storage_bytes AS value, NULL::bigint AS maximum, measured_at
                 FROM tenant_usage JOIN tenants ON id = tenant_id
                 WHERE storage_bytes IS NOT NULL AND status <> 'deleted'
                 ORDER BY storage_bytes DESC, tenant_id DESC
                 LIMIT $1
             ) AS top"
        ))
        .await?;
    client.query(&statement, &[&limit]).await?.iter().map(TenantColumns::read).collect()
}

/// The number of reached limits among which those that are exceeded are looked for.
const MAX_REACHED_LIMITS: i64 = 1000;

/// A row of [`list_over_limit`].
struct OverLimitRow {
    tenant: TenantOverLimit,
    total: i64,
}

/// Which of the figures exceed their limits.
fn figures(exceeded: &[bool]) -> Vec<Figure> {
    Figure::LIMITED.into_iter().zip(exceeded).filter_map(|(figure, is_over)| is_over.then_some(figure)).collect()
}

sql::columns! {
    OverLimitColumns -> OverLimitRow {
        tenant: TenantOverLimit {
            tenant_id: "id",
            name: "name",
            slug: "slug",
            status: "status",
            figures: "exceeded" via |exceeded: Vec<bool>| Ok(figures(&exceeded)),
            since: "since",
            measured_at: "measured_at",
        },
        total: "count(*) OVER ()",
    }
}

/// The number of tenants that exceed a limit in `month`, the current one, and the newest of them. They are looked for among the newest
/// recorded limits that are reached, and so as to read no others.
pub async fn list_over_limit(
    client: &impl GenericClient,
    month: Month,
    limit: i64,
) -> Result<(Count, Vec<TenantOverLimit>)> {
    // With a limit of its own, the lookup of each tenant is not replaced by a scan of all tenants.
    let statement = client
        .prepare_cached(sql::text!(
            "WITH newest AS (
                 SELECT tenant_id, figure, reached_at FROM usage_limits_reached ORDER BY reached_at DESC, tenant_id DESC LIMIT $3
             )
             SELECT ",
            OverLimitColumns::LIST,
            " FROM (
                 SELECT tenant_id, max(reached_at) FILTER (WHERE figure = 'agents') AS agents_at,
                        max(reached_at) FILTER (WHERE figure = 'contacts') AS contacts_at,
                        max(reached_at) FILTER (WHERE figure = 'messages_month') AS messages_at
                 FROM newest GROUP BY tenant_id
             ) AS reached
             CROSS JOIN LATERAL (
                 SELECT id, name, slug, status, measured_at,
                        ARRAY[coalesce(agents > max_agents, false), coalesce(contacts > max_contacts, false),
                              coalesce(month >= $1 AND greatest(messages_measured, messages_counted) > max_messages_month,
                                       false)] AS exceeded
                 FROM tenant_usage JOIN tenants ON id = tenant_usage.tenant_id
                 WHERE tenant_usage.tenant_id = reached.tenant_id AND status <> 'deleted'
                 LIMIT 1
             ) AS tenant
             -- A limit that is only reached, as that of agents often is, does not count.
             CROSS JOIN LATERAL (
                 SELECT greatest(CASE WHEN exceeded[1] THEN agents_at END, CASE WHEN exceeded[2] THEN contacts_at END,
                                 CASE WHEN exceeded[3] THEN messages_at END) AS since
             ) AS newest_exceeded
             WHERE since IS NOT NULL
             ORDER BY since DESC, id DESC
             LIMIT $2"
        ))
        .await?;
    let rows = client.query(&statement, &[&month.first_day(), &limit, &MAX_REACHED_LIMITS]).await?;
    let rows: Vec<_> = rows.iter().map(OverLimitColumns::read).collect::<Result<_>>()?;
    let number = rows.first().map_or(0, |row| row.total);
    let statement = client
        .prepare_cached("SELECT count(*) <= $1 FROM (SELECT FROM usage_limits_reached LIMIT $1::bigint + 1) AS reached")
        .await?;
    let is_exact = client.query_one(&statement, &[&MAX_REACHED_LIMITS]).await?.try_get(0)?;
    Ok((Count { number, is_exact }, rows.into_iter().map(|row| row.tenant).collect()))
}

/// The number of entries of an action with an outcome.
struct OutcomeCount {
    action: AuditAction,
    outcome: AuditOutcome,
    entries: i64,
}

sql::columns! {
    OutcomeColumns -> OutcomeCount {
        action: "action",
        outcome: "outcome",
        entries: "count(*)",
    }
}

/// Counts the entries of the audit log since `since` by action, of each action up to the number that lists are counted to. An intent
/// does not count.
pub async fn count_actions(client: &impl GenericClient, since: OffsetDateTime) -> Result<Vec<ActionCount>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            OutcomeColumns::LIST,
            " FROM unnest($1::text[]) AS known (action)
             CROSS JOIN LATERAL (
                 SELECT outcome FROM audit WHERE audit.action = known.action AND at >= $2
                 ORDER BY at DESC, id DESC
                 LIMIT $3
             ) AS entry
             GROUP BY action, outcome"
        ))
        .await?;
    let mut counts = BTreeMap::new();
    for row in client.query(&statement, &[&AuditAction::ALL, &since, &COUNTED_ROWS]).await? {
        let OutcomeCount { action, outcome, entries } = OutcomeColumns::read(&row)?;
        let (total, [done, failed, refused]) = counts.entry(action.as_str()).or_insert((0, [0; 3]));
        *total += entries;
        match outcome {
            AuditOutcome::Done => *done = entries,
            AuditOutcome::Failed => *failed = entries,
            AuditOutcome::Refused => *refused = entries,
            AuditOutcome::Intended => {}
        }
    }
    let count = |(name, (total, [done, failed, refused])): (&str, (i64, [i64; 3]))| {
        let action = AuditAction::from_text(name)?;
        // An action of which there are only intents has done nothing yet.
        let count = ActionCount { action, done, failed, refused, is_exact: total < COUNTED_ROWS };
        (done + failed + refused > 0).then_some(count)
    };
    Ok(counts.into_iter().filter_map(count).collect())
}
