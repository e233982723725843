//! Use case: record the result of measuring a tenant.

use time::OffsetDateTime;

use crate::{
    clients::postgres::Connection,
    error::Result,
    types::TenantId,
    usage::{Figure, Measurement, MeasurementError, MeasurementIntervals, Threshold, announce::announce, store},
};

/// A measurement of a tenant, to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct RecordMeasurement<'a> {
    pub tenant_id: TenantId,
    pub measurement: &'a Measurement,
    pub intervals: MeasurementIntervals,
}

/// Records the figures, schedules the next measurement, and enqueues an event for each threshold that is reached for the
/// first time this month. Returns those thresholds.
///
/// Of two measurements of a tenant, the one that began later wins, whatever the order in which they are recorded.
pub async fn record_measurement(platform: &mut Connection, command: &RecordMeasurement<'_>) -> Result<Vec<Threshold>> {
    let RecordMeasurement { tenant_id, measurement, intervals } = *command;
    let transaction = platform.transaction().await?;
    let Some(recorded) = store::update_figures(&transaction, tenant_id, measurement, intervals).await? else {
        return Ok(Vec::new());
    };
    let figures = [
        (Figure::Agents, measurement.agents),
        (Figure::Contacts, measurement.contacts),
        (Figure::MessagesMonth, recorded.messages.unwrap_or(0)),
    ];
    let reached: Vec<_> = Threshold::reached(tenant_id, recorded.month, &recorded.limits, &figures).collect();
    let new = announce(&transaction, recorded.month, &reached).await?;
    transaction.commit().await?;
    Ok(new)
}

/// Records why the measurement that began at `at` failed, and schedules another attempt. The figures stay. Changes nothing
/// when a later measurement succeeded, or when the tenant no longer has databases.
pub async fn record_failure(
    platform: &Connection,
    tenant_id: TenantId,
    at: OffsetDateTime,
    error: MeasurementError,
    intervals: MeasurementIntervals,
) -> Result<()> {
    store::update_failure(platform, tenant_id, at, error, intervals.retry).await
}
