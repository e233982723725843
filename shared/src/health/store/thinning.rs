//! Thinning: with age, samples become fewer rows. How many found a component well is never lost, until they are too old to
//! be kept at all.

use std::time::Duration;

use deadpool_postgres::{GenericClient, Transaction};
use time::OffsetDateTime;

use crate::error::Result;
use crate::health::store::lock;

/// From this age on, the samples of ten minutes are one row.
const TEN_MINUTES_AFTER: Duration = Duration::from_hours(24);
/// From this age on, the samples of an hour are one row.
const HOURS_AFTER: Duration = Duration::from_hours(7 * 24);
/// From this age on, they are not kept.
const DELETED_AFTER: Duration = Duration::from_hours(30 * 24);

/// What a run of thinning did: rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Thinned {
    /// Rows that became part of another.
    pub merged: u64,
    /// Rows, and changes, that were too old.
    pub deleted: u64,
}

/// Thins what is old enough at `now`, no more than `limit` rows of each age. Another run takes up where this one ends; one
/// at the same time waits until the transaction does.
pub async fn thin(client: &Transaction<'_>, now: OffsetDateTime, limit: i64) -> Result<Thinned> {
    lock(client).await?;
    let mut thinned = Thinned::default();
    for (from, to, age) in [(0, 600, TEN_MINUTES_AFTER), (600, 3600, HOURS_AFTER)] {
        thinned.merged += merge(client, from, to, now - age, limit).await?;
    }
    thinned.deleted += delete_samples(client, now - DELETED_AFTER, limit).await?;
    thinned.deleted += delete_changes(client, now - DELETED_AFTER, limit).await?;
    Ok(thinned)
}

/// Makes one row of those that have a span of `from` seconds and lie in the same `to` seconds, which ended before `before`.
async fn merge(client: &impl GenericClient, from: i32, to: i32, before: OffsetDateTime, limit: i64) -> Result<u64> {
    let statement = client
        .prepare_cached(
            "WITH old AS (
                 SELECT component, at
                 FROM health_samples
                 WHERE span_seconds = $1
                 AND at < date_bin(make_interval(secs => $2::integer), $3::timestamptz, 'epoch')
                 ORDER BY at
                 LIMIT $4
             ), taken AS (
                 DELETE FROM health_samples s
                 USING old
                 WHERE s.component = old.component AND s.at = old.at
                 RETURNING s.*
             ), merged AS (
                 INSERT INTO health_samples (component, at, span_seconds, up, degraded, down, latency_ms, error)
                 SELECT component, date_bin(make_interval(secs => $2::integer), at, 'epoch'), $2::integer, sum(up), sum(degraded), sum(down),
                        max(latency_ms), (array_agg(error ORDER BY at DESC) FILTER (WHERE error IS NOT NULL))[1]
                 FROM taken
                 GROUP BY 1, 2
                 ON CONFLICT (component, at) DO UPDATE
                 SET span_seconds = greatest(health_samples.span_seconds, excluded.span_seconds),
                     up = health_samples.up + excluded.up,
                     degraded = health_samples.degraded + excluded.degraded,
                     down = health_samples.down + excluded.down,
                     latency_ms = greatest(health_samples.latency_ms, excluded.latency_ms),
                     error = coalesce(excluded.error, health_samples.error)
             )
             SELECT count(*) FROM taken",
        )
        .await?;
    let row = client.query_one(&statement, &[&from, &to, &before, &limit]).await?;
    Ok(row.try_get::<_, i64>(0)?.unsigned_abs())
}

async fn delete_samples(client: &impl GenericClient, before: OffsetDateTime, limit: i64) -> Result<u64> {
    let statement = client
        .prepare_cached(
            "DELETE FROM health_samples
             WHERE (component, at) IN (
                 SELECT component, at
                 FROM health_samples
                 WHERE span_seconds = 3600 AND at < $1
                 ORDER BY at
                 LIMIT $2
             )",
        )
        .await?;
    Ok(client.execute(&statement, &[&before, &limit]).await?)
}

async fn delete_changes(client: &impl GenericClient, before: OffsetDateTime, limit: i64) -> Result<u64> {
    let statement = client
        .prepare_cached(
            "DELETE FROM health_changes
             WHERE id IN (
                 SELECT id FROM health_changes WHERE at < $1 ORDER BY at LIMIT $2
             )",
        )
        .await?;
    Ok(client.execute(&statement, &[&before, &limit]).await?)
}
