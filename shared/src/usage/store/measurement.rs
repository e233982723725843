//! The tenants to measure, and the results of their measurements.

use std::time::Duration;

use deadpool_postgres::{GenericClient, Transaction};
use time::{Date, OffsetDateTime};
use tokio_postgres::Row;

use crate::{
    error::Result,
    sql::{self, Columns},
    tenants::store::placement::PlacementColumns,
    types::{Limits, Month, TenantId},
    usage::{Measurement, MeasurementError, MeasurementIntervals, MeasurementTarget, ObjectSum},
};

/// Tenants that are due for measurement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DueTenants {
    /// The longest overdue first.
    pub tenant_ids: Vec<TenantId>,
    /// Whether more tenants may be due.
    pub more: bool,
}

/// A tenant that is due, with or without databases to measure.
struct DueTenant {
    id: TenantId,
    has_databases: bool,
}

sql::columns! {
    DueColumns -> DueTenant {
        id: "tenant_id",
        has_databases: "status IN ('active', 'suspended')",
    }
}

/// Claims up to `limit` due tenants, the longest overdue first, so that no other run claims them during `hold`. A tenant that
/// is not measured by then is due again. Tenants without databases are not returned.
pub async fn claim_due(client: &impl GenericClient, limit: i64, hold: Duration) -> Result<DueTenants> {
    let statement = client
        .prepare_cached(sql::text!(
            "WITH due AS (
                 SELECT u.tenant_id, u.due_at, t.status
                 FROM tenant_usage u
                 JOIN tenants t ON t.id = u.tenant_id
                 WHERE u.due_at <= now()
                 ORDER BY u.due_at
                 LIMIT $1
                 FOR UPDATE OF u SKIP LOCKED
             ),
             moved AS (
                 UPDATE tenant_usage u
                 SET due_at = CASE due.status
                     -- A deleted tenant is never measured again.
                     WHEN 'deleted' THEN 'infinity'
                     -- Its databases will exist soon.
                     WHEN 'provisioning' THEN now() + interval '1 minute'
                     ELSE now() + make_interval(secs => $2)
                 END
                 FROM due
                 WHERE u.tenant_id = due.tenant_id
             )
             SELECT ",
            DueColumns::LIST,
            " FROM due ORDER BY due_at"
        ))
        .await?;
    let rows = client.query(&statement, &[&limit, &hold.as_secs_f64()]).await?;
    let mut claim =
        DueTenants { more: i64::try_from(rows.len()).is_ok_and(|count| count == limit), ..DueTenants::default() };
    for row in &rows {
        let due = DueColumns::read(row)?;
        if due.has_databases {
            claim.tenant_ids.push(due.id);
        }
    }
    Ok(claim)
}

/// A tenant to measure, without the placement of its databases.
struct TargetRow {
    tenant_id: TenantId,
    database: String,
}

sql::columns! {
    TargetColumns -> TargetRow {
        tenant_id: "id",
        database: "database_name",
    }
}

/// Finds the databases of tenants. A tenant that has no databases at present is left out.
pub async fn find_targets(client: &impl GenericClient, tenant_ids: &[TenantId]) -> Result<Vec<MeasurementTarget>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            TargetColumns::LIST,
            ", ",
            PlacementColumns::LIST,
            ", object_bytes, objects_listed_at
             FROM tenants JOIN tenant_usage ON tenant_id = id
             WHERE id = ANY($1) AND status IN ('active', 'suspended')"
        ))
        .await?;
    client.query(&statement, &[&tenant_ids]).await?.iter().map(read_target).collect()
}

fn read_target(row: &Row) -> Result<MeasurementTarget> {
    let TargetRow { tenant_id, database } = TargetColumns::read(row)?;
    let placement = PlacementColumns::read_optional_at(row, TargetColumns::COUNT)?;
    let listed: Option<OffsetDateTime> = row.try_get("objects_listed_at")?;
    let objects = match listed {
        Some(listed_at) => Some(ObjectSum { bytes: row.try_get("object_bytes")?, listed_at }),
        None => None,
    };
    Ok(MeasurementTarget { tenant_id, database, placement, objects })
}

/// A tenant's recorded messages, and its limits.
#[derive(Debug, Clone, Copy)]
pub struct RecordedFigures {
    /// The month of `messages`.
    pub month: Month,
    /// The larger of the measured and the counted messages.
    pub messages: Option<i64>,
    pub limits: Limits,
}

sql::columns! {
    RecordedColumns -> RecordedFigures {
        month: "u.month" via |first: Date| Ok(Month::with(first)),
        messages: "greatest(u.messages_measured, u.messages_counted)",
        limits: Limits {
            max_agents: "t.max_agents",
            max_contacts: "t.max_contacts",
            max_messages_month: "t.max_messages_month",
        },
    }
}

/// Records a measurement, unless one that began later is recorded already: then it returns `None`.
pub async fn update_figures(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    measurement: &Measurement,
    intervals: MeasurementIntervals,
) -> Result<Option<RecordedFigures>> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE tenant_usage u
             SET agents = $2, agents_online = $3, contacts = $4, storage_bytes = $5, channels = $6,
                 -- A measurement that began in the previous month may arrive when messages of the new month are counted.
                 messages_measured = CASE WHEN u.month > $7 THEN u.messages_measured ELSE $8 END,
                 messages_counted = CASE WHEN u.month >= $7 THEN u.messages_counted END,
                 month = greatest(u.month, $7),
                 object_bytes = $12, objects_listed_at = $13,
                 measured_at = $9, error = NULL, failed_at = NULL,
                 due_at = now() + make_interval(secs => CASE t.status WHEN 'active' THEN $10::float8 ELSE $11::float8 END)
             FROM tenants t
             WHERE u.tenant_id = $1 AND t.id = $1 AND (u.measured_at IS NULL OR u.measured_at < $9)
             RETURNING ",
            RecordedColumns::LIST
        ))
        .await?;
    let row = transaction
        .query_opt(
            &statement,
            &[
                &tenant_id,
                &measurement.agents,
                &measurement.agents_online,
                &measurement.contacts,
                &measurement.storage_bytes,
                &measurement.channels,
                &measurement.month.first_day(),
                &measurement.messages,
                &measurement.at,
                &intervals.active.as_secs_f64(),
                &intervals.suspended.as_secs_f64(),
                &measurement.objects.bytes,
                &measurement.objects.listed_at,
            ],
        )
        .await?;
    row.as_ref().map(RecordedColumns::read).transpose()
}

/// Records why a measurement that began at `at` failed; the next one is due after `pause`. Changes nothing when a later
/// measurement is recorded, or when the tenant has no databases.
pub async fn update_failure(
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
    client.execute(&statement, &[&tenant_id, &error, &at, &pause.as_secs_f64()]).await?;
    Ok(())
}
