//! One tenant: what is found in its PostgreSQL database, its MongoDB database and its part of the bucket, all at once.

mod mongodb;
mod object_storage;
mod postgresql;

use std::time::Duration;

use futures::try_join;
use shared::{
    error::Error,
    types::Month,
    usage::{Measurement, MeasurementError, store::Target},
};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::Stores;

/// What is left for an answer that says "this takes too long" to arrive.
const ANSWER: Duration = Duration::from_millis(500);

/// Why a tenant could not be measured.
#[derive(Debug)]
pub struct InputError {
    /// For the operator.
    pub code: MeasurementError,
    /// For the log.
    pub cause: Option<Error>,
}

impl InputError {
    fn new(code: MeasurementError) -> Self {
        Self { code, cause: None }
    }

    /// A store that failed, where a failure which may pass means `unavailable`.
    fn of(cause: Error, unavailable: MeasurementError) -> Self {
        let code = if cause.is_transient() { unavailable } else { MeasurementError::Unexpected };
        Self { code, cause: Some(cause) }
    }
}

/// Measures a tenant within `limit`: all figures, or none. `at` is now.
pub async fn measure(
    stores: &Stores,
    target: &Target,
    at: OffsetDateTime,
    limit: Duration,
) -> Result<Measurement, InputError> {
    let unknown = || InputError::new(MeasurementError::ClusterUnknown);
    let placement = target.placement.as_ref().ok_or_else(unknown)?;
    let postgres = stores.postgres.get(&placement.postgres_cluster).ok_or_else(unknown)?;
    let mongo = stores.mongo.get(&placement.mongo_cluster).ok_or_else(unknown)?;
    let month = Month::of(at);
    let until = Instant::now() + limit;
    let (people, talk, objects) = try_join!(
        postgresql::measure(postgres, &target.database, until),
        mongodb::measure(mongo, &target.database, month, until),
        object_storage::measure(&stores.bucket, target.tenant_id, until),
    )?;
    Ok(Measurement {
        at,
        agents: people.agents,
        agents_online: people.agents_online,
        contacts: talk.contacts,
        month,
        messages: talk.messages,
        storage_bytes: people.database_bytes.saturating_add(talk.database_bytes).saturating_add(objects),
        channels: talk.channels,
    })
}

/// How long a store itself may work on a question that is asked now: it gives up a little sooner than we do, so that one
/// which is slow is told from one that hangs. Never zero, which stores take for "as long as it likes".
fn patience(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now()).saturating_sub(ANSWER).max(Duration::from_millis(1))
}
