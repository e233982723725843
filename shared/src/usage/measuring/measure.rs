//! Use case: measure one tenant in its PostgreSQL database, its MongoDB database and its part of the bucket, and record the
//! result. Each store is measured for itself: while one fails, the figures of the others are recorded.

use std::time::Duration;

use futures::future::OptionFuture;
use tokio::time::Instant;

use crate::{
    clients::{
        clusters::{MongoClusters, PostgresClusters},
        postgres::Postgres,
        s3::Bucket,
    },
    error::Result,
    operations::{
        backoff_between,
        store::breakers::{self, Purpose, StoreKind},
    },
    types::{Month, TenantId},
    usage::{
        MeasuredPart, Measurement, MeasurementClaim, MeasurementError, MeasurementIntervals, RecordMeasurement,
        StoreState, Threshold,
        measuring::{failure::MeasurementFailure, mongodb, object_storage, postgresql},
        record_measurement, store,
    },
    user_directory::Repair,
};

/// The longest wait between two measurements of a store that fails for a tenant again and again.
const LONGEST_WAIT: Duration = Duration::from_hours(6);

/// The stores that contain the tenants' data. The logins need read access only.
pub struct MeasuredStores {
    pub postgres: PostgresClusters,
    pub mongo: MongoClusters,
    pub bucket: Bucket,
}

/// A tenant to measure.
#[derive(Debug, Clone, Copy)]
pub struct MeasureTenant {
    pub tenant_id: TenantId,
    /// How long the measurement may take.
    pub timeout: Duration,
    pub intervals: MeasurementIntervals,
}

/// The result of a measurement, as recorded.
#[derive(Debug)]
pub struct MeasureOutcome {
    /// The thresholds that were reached for the first time this month.
    pub thresholds: Vec<Threshold>,
    /// Of the stores that could not be measured.
    pub failures: Vec<MeasurementFailure>,
    /// The comparison of the user directory with the tenant's users. `None` if the users were not measured.
    pub directory: Option<Result<Repair>>,
}

/// Measures one tenant and records the result. `None` if nothing was recorded: the tenant has no databases at present, or another
/// measurement of it has begun meanwhile. An error means that the result could not be recorded.
pub async fn measure(
    platform: &Postgres,
    stores: &MeasuredStores,
    command: MeasureTenant,
) -> Result<Option<MeasureOutcome>> {
    let Some(claim) = store::claim_measurement(&platform.get().await?, command.tenant_id).await? else {
        return Ok(None);
    };
    let blocked = find_blocked(platform, &claim).await?;
    let (measurement, failures, directory) = take_measurement(platform, stores, &claim, &blocked, command).await?;
    let intervals = command.intervals;
    let command = RecordMeasurement { claim: &claim, measurement: &measurement, intervals };
    let recorded = record_measurement(&mut platform.get().await?, &command).await?;
    if let Some(Ok(Repair { is_finished: false, .. })) = directory {
        // There was not enough time. The next measurement goes on.
        store::hasten(&platform.get().await?, command.claim.tenant_id, intervals.retry).await?;
    }
    Ok(recorded.map(|thresholds| MeasureOutcome { thresholds, failures, directory }))
}

/// The stores whose circuit breakers are open.
async fn find_blocked(platform: &Postgres, claim: &MeasurementClaim) -> Result<Vec<StoreKind>> {
    match &claim.placement {
        Some(placement) if claim.has_breakers => {
            let open = breakers::list_open(&platform.get().await?, Purpose::Measuring, placement).await?;
            Ok(open.into_iter().map(|breaker| breaker.store).collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// Measures all stores at the same time, within the timeout.
async fn take_measurement(
    platform: &Postgres,
    stores: &MeasuredStores,
    claim: &MeasurementClaim,
    blocked: &[StoreKind],
    command: MeasureTenant,
) -> Result<(Measurement, Vec<MeasurementFailure>, Option<Result<Repair>>)> {
    let until = Instant::now() + command.timeout;
    let month = Month::of(claim.at);
    let unknown = || MeasurementFailure::new(MeasurementError::ClusterUnknown);
    let placement = claim.placement.as_ref();
    let [users, collections, objects] = claim.states.map(|state| !state.is_waiting);
    let is_open = |store, is_due: bool| is_due && !blocked.contains(&store);
    let (users_taken, collections_taken, objects_taken) = tokio::join!(
        OptionFuture::from(is_open(StoreKind::Postgresql, users).then_some(async {
            let cluster = placement.and_then(|placement| stores.postgres.get(&placement.postgres_cluster));
            postgresql::measure(platform, (claim.tenant_id, &claim.database), cluster.ok_or_else(unknown)?, until).await
        })),
        OptionFuture::from(is_open(StoreKind::Mongodb, collections).then_some(async {
            let cluster = placement.and_then(|placement| stores.mongo.get(&placement.mongo_cluster));
            mongodb::measure(cluster.ok_or_else(unknown)?, &claim.database, month, until).await
        })),
        OptionFuture::from(is_open(StoreKind::ObjectStorage, objects).then_some(object_storage::measure(
            &stores.bucket,
            claim.tenant_id,
            claim.listing.clone(),
            until,
        ))),
    );
    let mut directory = None;
    let users_taken = users_taken.map(|taken| {
        taken.map(|measured| {
            directory = Some(measured.directory);
            measured.figures
        })
    });
    let mut parts = Parts { platform, claim, retry: command.intervals.retry, failures: Vec::new() };
    let [of_postgres, of_mongo] =
        [placement.map(|placement| &*placement.postgres_cluster), placement.map(|placement| &*placement.mongo_cluster)];
    let measurement = Measurement {
        at: claim.at,
        users: parts.part(StoreKind::Postgresql, of_postgres, claim.states[0], users_taken).await?,
        collections: parts.part(StoreKind::Mongodb, of_mongo, claim.states[1], collections_taken).await?,
        objects: parts.part(StoreKind::ObjectStorage, Some(""), claim.states[2], objects_taken).await?,
    };
    Ok((measurement, parts.failures, directory))
}

/// Turns what the stores returned into what is recorded.
struct Parts<'a> {
    platform: &'a Postgres,
    claim: &'a MeasurementClaim,
    retry: Duration,
    failures: Vec<MeasurementFailure>,
}

impl Parts<'_> {
    /// `taken` is `None` if the store was left out. Updates the breaker of the cluster.
    async fn part<T>(
        &mut self,
        store: StoreKind,
        cluster: Option<&str>,
        state: StoreState,
        taken: Option<Result<T, MeasurementFailure>>,
    ) -> Result<MeasuredPart<T>> {
        match taken {
            None if state.is_waiting => Ok(MeasuredPart::Skipped),
            // Its breaker is open. The wait does not grow, because it is not this tenant that fails.
            None => Ok(MeasuredPart::Failed { code: unavailable(store), wait: self.retry, counts: false }),
            Some(Ok(figures)) => {
                if let (true, Some(cluster)) = (self.claim.has_breakers, cluster) {
                    breakers::close_of(&self.platform.get().await?, Purpose::Measuring, store, cluster).await?;
                }
                Ok(MeasuredPart::Measured(figures))
            }
            Some(Err(failure)) => {
                if let (true, Some(cluster)) = (failure.concerns_store(), cluster) {
                    let (platform, tenant) = (self.platform.get().await?, self.claim.tenant_id.0);
                    breakers::count_fault(&platform, Purpose::Measuring, store, cluster, tenant).await?;
                }
                let wait = backoff_between(state.failures, self.retry, LONGEST_WAIT);
                let code = failure.code;
                self.failures.push(failure);
                Ok(MeasuredPart::Failed { code, wait, counts: true })
            }
        }
    }
}

fn unavailable(store: StoreKind) -> MeasurementError {
    match store {
        StoreKind::Postgresql => MeasurementError::PostgresqlUnavailable,
        StoreKind::Mongodb => MeasurementError::MongodbUnavailable,
        StoreKind::ObjectStorage => MeasurementError::ObjectStorageUnavailable,
    }
}
