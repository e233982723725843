//! The tenants to measure, and the results of their measurements.

use std::time::Duration;

use deadpool_postgres::{GenericClient, Transaction};
use time::Date;
use tokio_postgres::types::ToSql;

use crate::{
    error::Result,
    operations::store::breakers::StoreKind,
    sql::{self, Columns, RowReader},
    tenants::OnLimit,
    types::{Limits, Month, Placement, TenantId},
    usage::{
        MeasuredPart, Measurement, MeasurementClaim, MeasurementError, MeasurementIntervals, ObjectListing, StoreState,
    },
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

/// The stores, in the order of [`Measurement`].
const STORES: [StoreKind; 3] = [StoreKind::Postgresql, StoreKind::Mongodb, StoreKind::ObjectStorage];

/// Begins the measurement of a tenant: from now on, no earlier one is recorded. `None` if the tenant has no databases at present.
pub async fn claim_measurement(client: &impl GenericClient, tenant_id: TenantId) -> Result<Option<MeasurementClaim>> {
    let statement = client
        .prepare_cached(
            "WITH claimed AS (
                 UPDATE tenant_usage u SET epoch = u.epoch + 1
                 FROM tenants t
                 WHERE u.tenant_id = $1 AND t.id = $1 AND t.status IN ('active', 'suspended')
                 RETURNING u.epoch, t.database_name, t.postgres_cluster, t.mongo_cluster
             )
             SELECT c.*, now(), EXISTS (SELECT FROM store_breakers WHERE purpose = 'measuring'),
                    coalesce(p.failures, 0), coalesce(p.not_before > now(), false),
                    coalesce(m.failures, 0), coalesce(m.not_before > now(), false),
                    coalesce(o.failures, 0), coalesce(o.not_before > now(), false), o.listed_bytes, o.listed_after
             FROM claimed c
             LEFT JOIN tenant_measurements p ON p.tenant_id = $1 AND p.store = 'postgresql'
             LEFT JOIN tenant_measurements m ON m.tenant_id = $1 AND m.store = 'mongodb'
             LEFT JOIN tenant_measurements o ON o.tenant_id = $1 AND o.store = 'object_storage'",
        )
        .await?;
    let Some(row) = client.query_opt(&statement, &[&tenant_id]).await? else { return Ok(None) };
    let mut columns = RowReader::new(&row, 0);
    let (epoch, database) = (columns.take()?, columns.take()?);
    let placement = Placement::read(columns.take()?, columns.take()?);
    let (at, has_breakers) = (columns.take()?, columns.take()?);
    let mut states = [StoreState::default(); 3];
    for state in &mut states {
        *state = StoreState { failures: columns.take()?, is_waiting: columns.take()? };
    }
    let (bytes, after): (Option<i64>, Option<String>) = (columns.take()?, columns.take()?);
    let listing = bytes.zip(after).map(|(bytes, after)| ObjectListing { bytes, after: Some(after) });
    Ok(Some(MeasurementClaim { tenant_id, epoch, at, database, placement, states, listing, has_breakers }))
}

/// Makes a tenant due after `wait` at the latest.
pub async fn hasten(client: &impl GenericClient, tenant_id: TenantId, wait: Duration) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE tenant_usage SET due_at = least(due_at, now() + make_interval(secs => $2)) WHERE tenant_id = $1",
        )
        .await?;
    client.execute(&statement, &[&tenant_id, &wait.as_secs_f64()]).await?;
    Ok(())
}

/// Locks a tenant's figures. `false` if another measurement has begun, or the tenant has no databases any more.
pub async fn lock_claim(transaction: &Transaction<'_>, claim: &MeasurementClaim) -> Result<bool> {
    let statement = transaction
        .prepare_cached(
            "SELECT FROM tenant_usage u JOIN tenants t ON t.id = u.tenant_id
             WHERE u.tenant_id = $1 AND u.epoch = $2 AND t.status IN ('active', 'suspended')
             FOR UPDATE OF u",
        )
        .await?;
    Ok(transaction.query_opt(&statement, &[&claim.tenant_id, &claim.epoch]).await?.is_some())
}

/// How the measurement of one store went.
struct StoreUpdate {
    store: StoreKind,
    error: Option<MeasurementError>,
    counts: bool,
    wait: Duration,
}

impl StoreUpdate {
    /// `pause` is the wait after a success.
    fn of<T>(store: StoreKind, part: &MeasuredPart<T>, pause: Duration) -> Option<Self> {
        match part {
            MeasuredPart::Measured(_) => Some(Self { store, error: None, counts: false, wait: pause }),
            MeasuredPart::Failed { code, wait, counts } => {
                Some(Self { store, error: Some(*code), counts: *counts, wait: *wait })
            }
            MeasuredPart::Skipped => None,
        }
    }
}

/// Records how the measurement of each store went.
pub async fn update_stores(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    measurement: &Measurement,
    intervals: MeasurementIntervals,
) -> Result<()> {
    let [postgresql, mongodb, object_storage] = STORES;
    // A listing that goes on is no failure, but the sum is not known yet.
    let is_listed = measurement.objects.figures().is_none_or(|listing| listing.after.is_none());
    let mut objects = StoreUpdate::of(object_storage, &measurement.objects, intervals.objects);
    if let Some(objects) = &mut objects
        && !is_listed
    {
        (objects.error, objects.wait) = (Some(MeasurementError::DeadlineExceeded), intervals.retry);
    }
    let updates: Vec<_> = [
        StoreUpdate::of(postgresql, &measurement.users, Duration::ZERO),
        StoreUpdate::of(mongodb, &measurement.collections, Duration::ZERO),
        objects,
    ]
    .into_iter()
    .flatten()
    .collect();
    let stores: Vec<_> = updates.iter().map(|update| update.store).collect();
    let errors: Vec<_> = updates.iter().map(|update| update.error).collect();
    let counts: Vec<_> = updates.iter().map(|update| update.counts).collect();
    let waits: Vec<_> = updates.iter().map(|update| update.wait.as_secs_f64()).collect();
    let listed_bytes = measurement.objects.figures().filter(|_| !is_listed).map(|listing| listing.bytes);
    let listed_after = measurement.objects.figures().and_then(|listing| listing.after.as_ref());
    let has_listed = measurement.objects.figures().is_some();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO tenant_measurements AS m
                 (tenant_id, store, measured_at, not_before, failures, error, listed_bytes, listed_after)
             SELECT $1, store, CASE WHEN error IS NULL THEN $2::timestamptz END, now() + make_interval(secs => wait),
                    counts::integer, error,
                    CASE store WHEN 'object_storage' THEN $7::bigint END, CASE store WHEN 'object_storage' THEN $8 END
             FROM unnest($3::text[], $4::text[], $5::boolean[], $6::float8[]) AS s (store, error, counts, wait)
             ON CONFLICT (tenant_id, store) DO UPDATE
             SET measured_at = coalesce(excluded.measured_at, m.measured_at),
                 not_before = excluded.not_before,
                 failures = CASE WHEN excluded.error IS NULL THEN 0 ELSE m.failures + excluded.failures END,
                 error = excluded.error,
                 -- After a failure, the listing goes on where it was.
                 listed_bytes = CASE WHEN $9 THEN excluded.listed_bytes ELSE m.listed_bytes END,
                 listed_after = CASE WHEN $9 THEN excluded.listed_after ELSE m.listed_after END",
        )
        .await?;
    let values: [&(dyn ToSql + Sync); 9] =
        [&tenant_id, &measurement.at, &stores, &errors, &counts, &waits, &listed_bytes, &listed_after, &has_listed];
    transaction.execute(&statement, &values).await?;
    Ok(())
}

/// A tenant's recorded messages, and its limits.
#[derive(Debug, Clone, Copy)]
pub struct RecordedFigures {
    /// The month of `messages`.
    pub month: Month,
    /// The larger of the measured and the counted messages.
    pub messages: Option<i64>,
    pub limits: Limits,
    pub on_limit: OnLimit,
}

sql::columns! {
    RecordedColumns -> RecordedFigures {
        // The current one if no messages were ever measured.
        month: "coalesce(u.month, date_trunc('month', now() AT TIME ZONE 'UTC')::date)" via |first: Date| Ok(Month::with(first)),
        messages: "greatest(u.messages_measured, u.messages_counted)",
        limits: Limits {
            max_agents: "t.max_agents",
            max_contacts: "t.max_contacts",
            max_messages_month: "t.max_messages_month",
        },
        on_limit: "t.on_limit",
    }
}

/// Records the figures of the stores that were measured; those of the others stay. The next measurement is due after the tenant's
/// interval, or when a store that failed may be measured again. The caller has locked the row, and updated the stores.
pub async fn update_figures(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    measurement: &Measurement,
    intervals: MeasurementIntervals,
) -> Result<RecordedFigures> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE tenant_usage u
             SET agents = coalesce($2, u.agents), agents_online = coalesce($3, u.agents_online),
                 contacts = coalesce($4, u.contacts), channels = coalesce($5, u.channels),
                 -- A measurement that began in the previous month may arrive when messages of the new month are counted.
                 messages_measured = CASE WHEN $7::bigint IS NULL OR u.month > $6 THEN u.messages_measured ELSE $7 END,
                 messages_counted = CASE WHEN $7 IS NULL OR u.month >= $6 THEN u.messages_counted END,
                 month = CASE WHEN $7 IS NULL THEN u.month ELSE greatest(u.month, $6) END,
                 postgres_bytes = coalesce($8, u.postgres_bytes), mongo_bytes = coalesce($9, u.mongo_bytes),
                 object_bytes = coalesce($10, u.object_bytes),
                 -- Objects that were never listed completely count as far as they are listed.
                 storage_bytes = coalesce(
                     coalesce($8, u.postgres_bytes) + coalesce($9, u.mongo_bytes)
                         + coalesce($10, u.object_bytes, $11, 0),
                     u.storage_bytes),
                 measured_at = coalesce(
                     (SELECT min(measured_at) FROM tenant_measurements m
                      WHERE m.tenant_id = $1 AND m.store <> 'object_storage'),
                     u.measured_at),
                 error = s.error,
                 failed_at = CASE WHEN s.error IS NOT NULL THEN now() END,
                 due_at = (
                     SELECT min(CASE WHEN m.error IS NOT NULL THEN m.not_before
                                ELSE now() + make_interval(secs =>
                                    CASE t.status WHEN 'active' THEN $12::float8 ELSE $13::float8 END) END)
                     FROM tenant_measurements m
                     WHERE m.tenant_id = $1 AND (m.store <> 'object_storage' OR m.error IS NOT NULL))
             FROM tenants t
             LEFT JOIN LATERAL (
                 SELECT error FROM tenant_measurements m WHERE m.tenant_id = t.id AND m.error IS NOT NULL
                 ORDER BY array_position(ARRAY['postgresql', 'mongodb', 'object_storage'], m.store) LIMIT 1
             ) s ON true
             WHERE u.tenant_id = $1 AND t.id = $1
             RETURNING ",
            RecordedColumns::LIST
        ))
        .await?;
    let users = measurement.users.figures();
    let collections = measurement.collections.figures();
    let objects = measurement.objects.figures();
    let values: [&(dyn ToSql + Sync); 13] = [
        &tenant_id,
        &users.map(|users| users.active),
        &users.map(|users| users.online),
        &collections.map(|collections| collections.contacts),
        &collections.map(|collections| &collections.channels),
        &collections.map(|collections| collections.month.first_day()),
        &collections.map(|collections| collections.messages),
        &users.map(|users| users.database_bytes),
        &collections.map(|collections| collections.database_bytes),
        &objects.filter(|listing| listing.after.is_none()).map(|listing| listing.bytes),
        &objects.map(|listing| listing.bytes),
        &intervals.active.as_secs_f64(),
        &intervals.suspended.as_secs_f64(),
    ];
    RecordedColumns::read(&transaction.query_one(&statement, &values).await?)
}
