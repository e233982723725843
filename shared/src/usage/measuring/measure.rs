//! Use case: measure one tenant in its PostgreSQL database, its MongoDB database and its part of the bucket, and record the
//! result.

use std::time::Duration;

use futures::try_join;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::{
    clients::{
        clusters::{MongoClusters, PostgresClusters},
        postgres::Postgres,
        s3::Bucket,
    },
    error::Result,
    types::Month,
    usage::{
        Measurement, MeasurementError, MeasurementIntervals, MeasurementTarget, ObjectSum, RecordMeasurement,
        Threshold,
        measuring::{failure::MeasurementFailure, mongodb, object_storage, postgresql},
        record_failure, record_measurement,
    },
};

/// The stores that contain the tenants' data. The logins need read access only.
pub struct MeasuredStores {
    pub postgres: PostgresClusters,
    pub mongo: MongoClusters,
    pub bucket: Bucket,
}

/// A tenant to measure.
#[derive(Debug, Clone, Copy)]
pub struct MeasureTenant<'a> {
    pub target: &'a MeasurementTarget,
    /// How long the measurement may take.
    pub timeout: Duration,
    /// How long an earlier sum of its objects is used.
    pub objects_interval: Duration,
    pub intervals: MeasurementIntervals,
}

/// The result of a measurement, as recorded.
#[derive(Debug)]
pub enum MeasureOutcome {
    /// The figures are recorded. Contains the thresholds that were reached for the first time this month.
    Measured(Vec<Threshold>),
    /// The tenant could not be measured; it keeps its figures, and the reason is recorded.
    Failed(MeasurementFailure),
}

/// Measures one tenant and records the result. An error means that the result could not be recorded.
pub async fn measure(
    platform: &Postgres,
    stores: &MeasuredStores,
    command: &MeasureTenant<'_>,
) -> Result<MeasureOutcome> {
    let MeasureTenant { target, intervals, .. } = *command;
    let at = OffsetDateTime::now_utc();
    match take_measurement(stores, command, at).await {
        Ok(measurement) => {
            let command = RecordMeasurement { tenant_id: target.tenant_id, measurement: &measurement, intervals };
            record_measurement(&mut platform.get().await?, &command).await.map(MeasureOutcome::Measured)
        }
        Err(failure) => {
            record_failure(&platform.get().await?, target.tenant_id, at, failure.code, intervals).await?;
            Ok(MeasureOutcome::Failed(failure))
        }
    }
}

/// Takes all figures within the timeout, or none. `at` is the current time.
async fn take_measurement(
    stores: &MeasuredStores,
    command: &MeasureTenant<'_>,
    at: OffsetDateTime,
) -> Result<Measurement, MeasurementFailure> {
    let MeasureTenant { target, timeout, objects_interval, .. } = *command;
    let unknown = || MeasurementFailure::new(MeasurementError::ClusterUnknown);
    let placement = target.placement.as_ref().ok_or_else(unknown)?;
    let postgres = stores.postgres.get(&placement.postgres_cluster).ok_or_else(unknown)?;
    let mongo = stores.mongo.get(&placement.mongo_cluster).ok_or_else(unknown)?;
    let month = Month::of(at);
    let until = Instant::now() + timeout;
    let sum_objects = async {
        if let Some(sum) = target.objects.filter(|sum| at - sum.listed_at < objects_interval) {
            return Ok(sum);
        }
        let bytes = object_storage::measure(&stores.bucket, target.tenant_id, until).await?;
        Ok(ObjectSum { bytes, listed_at: at })
    };
    let (users, collections, objects) = try_join!(
        postgresql::measure(postgres, &target.database, until),
        mongodb::measure(mongo, &target.database, month, until),
        sum_objects,
    )?;
    let database_bytes = users.database_bytes.saturating_add(collections.database_bytes);
    Ok(Measurement {
        at,
        agents: users.active,
        agents_online: users.online,
        contacts: collections.contacts,
        month,
        messages: collections.messages,
        storage_bytes: database_bytes.saturating_add(objects.bytes),
        objects,
        channels: collections.channels,
    })
}
