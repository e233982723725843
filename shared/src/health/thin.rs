//! Use case: thin the history. Old samples are merged into fewer rows. The counts of each status are preserved until the
//! rows are too old to be kept.

use std::time::Duration;

use time::OffsetDateTime;

use crate::{clients::postgres::Connection, error::Result, health::store};

const TEN_MINUTES: i32 = 600;
const HOUR: i32 = 3600;

/// The age from which the samples of ten minutes are one row.
const TEN_MINUTES_AFTER: Duration = Duration::from_hours(24);
/// The age from which the samples of an hour are one row.
const HOURS_AFTER: Duration = Duration::from_hours(7 * 24);
/// The age from which rows are deleted.
const DELETED_AFTER: Duration = Duration::from_hours(30 * 24);

/// The result of one run of thinning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ThinningResult {
    /// Rows that were merged into another row.
    pub merged: u64,
    /// Rows of samples and of changes that were too old.
    pub deleted: u64,
}

/// Thins the rows that are old enough at `now`, at most `limit` rows of each age. The next run continues with the rest. A
/// concurrent run waits until this one has committed.
pub async fn thin_history(platform: &mut Connection, now: OffsetDateTime, limit: i64) -> Result<ThinningResult> {
    let transaction = platform.transaction().await?;
    store::lock(&transaction).await?;
    let mut result = ThinningResult::default();
    for (from, to, age) in [(0, TEN_MINUTES, TEN_MINUTES_AFTER), (TEN_MINUTES, HOUR, HOURS_AFTER)] {
        result.merged += store::merge_samples(&transaction, from, to, now - age, limit).await?;
    }
    result.deleted += store::delete_samples(&transaction, HOUR, now - DELETED_AFTER, limit).await?;
    result.deleted += store::delete_changes(&transaction, now - DELETED_AFTER, limit).await?;
    transaction.commit().await?;
    Ok(result)
}
