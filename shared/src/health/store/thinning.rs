//! Merging and deleting old rows of the history.

use deadpool_postgres::GenericClient;
use time::OffsetDateTime;

use crate::error::Result;

/// Merges up to `limit` rows that span `from` seconds into rows that span `to` seconds, for spans that ended before
/// `before`. Returns the number of merged rows.
pub async fn merge_samples(
    client: &impl GenericClient,
    from: i32,
    to: i32,
    before: OffsetDateTime,
    limit: i64,
) -> Result<u64> {
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

/// Deletes up to `limit` rows that span `span_seconds` and are older than `before`, and returns their number.
pub async fn delete_samples(
    client: &impl GenericClient,
    span_seconds: i32,
    before: OffsetDateTime,
    limit: i64,
) -> Result<u64> {
    let statement = client
        .prepare_cached(
            "DELETE FROM health_samples
             WHERE (component, at) IN (
                 SELECT component, at
                 FROM health_samples
                 WHERE span_seconds = $1 AND at < $2
                 ORDER BY at
                 LIMIT $3
             )",
        )
        .await?;
    Ok(client.execute(&statement, &[&span_seconds, &before, &limit]).await?)
}

/// Deletes up to `limit` changes that are older than `before`, and returns their number.
pub async fn delete_changes(client: &impl GenericClient, before: OffsetDateTime, limit: i64) -> Result<u64> {
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
