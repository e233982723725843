//! What the measurement asks, and what it brings.

use std::time::Duration;

use deadpool_postgres::{GenericClient, Transaction};
use time::{Date, OffsetDateTime};

use crate::usage::store::thresholds;
use crate::{
    error::Result,
    types::{Limits, Month, Placement, TenantId},
    usage::{Figure, Measurement, MeasurementError, Threshold},
};

/// Tenants that are to be measured now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DueTenants {
    /// The tenants, those that have waited longest first.
    pub tenant_ids: Vec<TenantId>,
    /// Whether there may be more.
    pub more: bool,
}

/// Takes up to `limit` tenants that are due, oldest first, and keeps others from taking them for `hold`. Those that are
/// not measured by then are due again. Tenants without databases are passed over.
pub async fn claim_due(client: &impl GenericClient, limit: i64, hold: Duration) -> Result<DueTenants> {
    let statement = client
        .prepare_cached(
            "WITH due AS (
                 SELECT u.tenant_id, u.due_at, o.status
                 FROM tenant_usage u
                 JOIN tenants o ON o.id = u.tenant_id
                 WHERE u.due_at <= now()
                 ORDER BY u.due_at
                 LIMIT $1
                 FOR UPDATE OF u SKIP LOCKED
             ),
             moved AS (
                 UPDATE tenant_usage u
                 SET due_at = CASE due.status
                     -- It comes back from nowhere, and is not looked at again.
                     WHEN 'deleted' THEN 'infinity'
                     -- In a moment it has databases.
                     WHEN 'provisioning' THEN now() + interval '1 minute'
                     ELSE now() + make_interval(secs => $2)
                 END
                 FROM due
                 WHERE u.tenant_id = due.tenant_id
             )
             SELECT tenant_id, status IN ('active', 'suspended') FROM due ORDER BY due_at",
        )
        .await?;
    let rows = client.query(&statement, &[&limit, &hold.as_secs_f64()]).await?;
    let mut claim =
        DueTenants { more: i64::try_from(rows.len()).is_ok_and(|count| count == limit), ..DueTenants::default() };
    for row in &rows {
        if row.try_get(1)? {
            claim.tenant_ids.push(TenantId(row.try_get(0)?));
        }
    }
    Ok(claim)
}

/// Where a tenant's usage is found.
#[derive(Debug, Clone)]
pub struct Target {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Name of its databases.
    pub database: String,
    /// On which clusters they are.
    pub placement: Option<Placement>,
}

/// Where the usage of these tenants is found. Those that have no databases now are left out.
pub async fn find_targets(client: &impl GenericClient, tenant_ids: &[TenantId]) -> Result<Vec<Target>> {
    let statement = client
        .prepare_cached(
            "SELECT id, database_name, postgres_cluster, mongo_cluster FROM tenants
             WHERE id = ANY($1) AND status IN ('active', 'suspended')",
        )
        .await?;
    let ids: Vec<_> = tenant_ids.iter().map(|id| id.0).collect();
    let rows = client.query(&statement, &[&ids]).await?;
    rows.iter()
        .map(|row| {
            Ok(Target {
                tenant_id: TenantId(row.try_get(0)?),
                database: row.try_get(1)?,
                placement: Placement::read(row.try_get(2)?, row.try_get(3)?),
            })
        })
        .collect()
}

/// When a tenant that was measured is due again.
#[derive(Debug, Clone, Copy)]
pub struct Intervals {
    /// An active one.
    pub active: Duration,
    /// A suspended one.
    pub suspended: Duration,
}

/// Keeps what was measured, and gives the thresholds that it passed for the first time this month. Of two measurements the
/// one that was begun later is kept, in whichever order they come.
pub async fn record(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    found: &Measurement,
    intervals: Intervals,
) -> Result<Vec<Threshold>> {
    let statement = transaction
        .prepare_cached(
            "UPDATE tenant_usage u
             SET agents = $2, agents_online = $3, contacts = $4, storage_bytes = $5, channels = $6,
                 -- A measurement that was begun before the month was over may come when the next one is being counted.
                 messages_measured = CASE WHEN u.month > $7 THEN u.messages_measured ELSE $8 END,
                 messages_counted = CASE WHEN u.month >= $7 THEN u.messages_counted END,
                 month = greatest(u.month, $7),
                 measured_at = $9, error = NULL, failed_at = NULL,
                 due_at = now() + make_interval(secs => CASE o.status WHEN 'active' THEN $10::float8 ELSE $11::float8 END)
             FROM tenants o
             WHERE u.tenant_id = $1 AND o.id = $1 AND (u.measured_at IS NULL OR u.measured_at < $9)
             RETURNING u.month, greatest(u.messages_measured, u.messages_counted),
                       o.max_agents, o.max_contacts, o.max_messages_month",
        )
        .await?;
    let row = transaction
        .query_opt(
            &statement,
            &[
                &tenant_id.0,
                &found.agents,
                &found.agents_online,
                &found.contacts,
                &found.storage_bytes,
                &found.channels,
                &found.month.first_day(),
                &found.messages,
                &found.at,
                &intervals.active.as_secs_f64(),
                &intervals.suspended.as_secs_f64(),
            ],
        )
        .await?;
    let Some(row) = row else { return Ok(Vec::new()) };
    let month = Month::with(row.try_get::<_, Date>(0)?);
    let messages: Option<i64> = row.try_get(1)?;
    let limits =
        Limits { max_agents: row.try_get(2)?, max_contacts: row.try_get(3)?, max_messages_month: row.try_get(4)? };
    let figures = [
        (Figure::Agents, found.agents),
        (Figure::Contacts, found.contacts),
        (Figure::MessagesMonth, messages.unwrap_or(0)),
    ];
    let reached: Vec<_> = Threshold::reached(tenant_id, month, &limits, &figures).collect();
    thresholds::pass(transaction, &reached).await
}

/// Keeps why a measurement that was begun at `at` failed; the figures stay. The tenant is due again after `pause`. One that
/// lost its databases meanwhile has not failed.
pub async fn fail(
    client: &impl GenericClient,
    tenant_id: TenantId,
    at: OffsetDateTime,
    error: MeasurementError,
    pause: Duration,
) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE tenant_usage
             SET error = $2, failed_at = now(), due_at = now() + make_interval(secs => $4)
             WHERE tenant_id = $1 AND (measured_at IS NULL OR measured_at < $3)
                 AND EXISTS (SELECT FROM tenants WHERE id = $1 AND status IN ('active', 'suspended'))",
        )
        .await?;
    client.execute(&statement, &[&tenant_id.0, &error.as_str(), &at, &pause.as_secs_f64()]).await?;
    Ok(())
}
