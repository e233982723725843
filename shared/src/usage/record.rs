//! Use case: record the result of measuring a tenant.

use crate::{
    clients::postgres::Connection,
    error::Result,
    usage::{
        Figure, Measurement, MeasurementClaim, MeasurementIntervals, ObservedUsage, Threshold, announce::announce,
        store,
    },
};

/// A measurement of a tenant, to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct RecordMeasurement<'a> {
    pub claim: &'a MeasurementClaim,
    pub measurement: &'a Measurement,
    pub intervals: MeasurementIntervals,
}

/// Records the figures, also as those of the day, and the failures, schedules the next measurement, and enqueues an event for each threshold that is reached for the
/// first time this month, and for each limit that is not reached any more. Returns those thresholds; `None` if nothing was recorded, because another measurement has begun or the
/// tenant has no databases any more.
///
/// Of two measurements of a tenant, only the one that began later is recorded, whatever becomes of it: the other one may have been
/// frozen for hours.
pub async fn record_measurement(
    platform: &mut Connection,
    command: &RecordMeasurement<'_>,
) -> Result<Option<Vec<Threshold>>> {
    let RecordMeasurement { claim, measurement, intervals } = *command;
    let transaction = platform.transaction().await?;
    if !store::lock_claim(&transaction, claim).await? {
        return Ok(None);
    }
    store::update_stores(&transaction, claim.tenant_id, measurement, intervals).await?;
    let recorded = store::update_figures(&transaction, claim.tenant_id, measurement, intervals).await?;
    store::upsert_day(&transaction, claim.tenant_id, measurement, &recorded).await?;
    let figures = [
        (Figure::Agents, measurement.users.figures().map(|users| users.active)),
        (Figure::Contacts, measurement.collections.figures().map(|collections| collections.contacts)),
        (Figure::MessagesMonth, measurement.collections.figures().and(recorded.messages)),
    ];
    let observed = ObservedUsage {
        tenant_id: claim.tenant_id,
        limits: recorded.limits,
        on_limit: recorded.on_limit,
        figures: figures.into_iter().filter_map(|(figure, value)| Some((figure, value?))).collect(),
    };
    let announced = announce(&transaction, recorded.month, &[observed]).await?;
    transaction.commit().await?;
    Ok(Some(announced.reached))
}
