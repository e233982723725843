//! Use case: delete the records of thresholds that were reached in past months.

use crate::{clients::postgres::Connection, error::Result, types::Month, usage::store};

/// The greatest number of records that one run deletes.
const THRESHOLDS_PER_RUN: i64 = 10_000;

/// Returns the number of deleted records. Those of the previous month are kept, because a late measurement of that month may
/// still reach its thresholds.
pub async fn forget_thresholds(platform: &Connection) -> Result<u64> {
    store::delete_thresholds_before(platform, Month::current().previous(), THRESHOLDS_PER_RUN).await
}
