//! Use cases: delete the records of thresholds that were reached in past months, and the figures of past days.

use crate::{
    clients::postgres::Connection,
    error::Result,
    types::{Day, Month},
    usage::store,
};

/// The greatest number of records that one run deletes.
const THRESHOLDS_PER_RUN: i64 = 10_000;

/// The greatest number of daily figures that one run deletes. Those of a day are as many as the tenants, and the schedule runs every
/// minute.
const DAYS_PER_RUN: i64 = 5_000;

/// Returns the number of deleted records. Those of the previous month are kept, because a late measurement of that month may
/// still reach its thresholds.
pub async fn forget_thresholds(platform: &Connection) -> Result<u64> {
    store::delete_thresholds_before(platform, Month::current().previous(), THRESHOLDS_PER_RUN).await
}

/// Deletes daily figures that are older than `kept_days`. Returns their number.
pub async fn forget_days(platform: &Connection, kept_days: i32) -> Result<u64> {
    store::delete_days_before(platform, Day::today().plus(-i64::from(kept_days)), DAYS_PER_RUN).await
}
