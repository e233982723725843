//! The samples of the components.

use deadpool_postgres::{GenericClient, Transaction};
use time::OffsetDateTime;
use tokio_postgres::Row;

use crate::{
    error::Result,
    health::{Component, ComponentSample, SampleRow, Uptime},
};

/// Inserts the samples of one moment, and returns those that did not exist before.
pub async fn insert_samples(
    transaction: &Transaction<'_>,
    at: OffsetDateTime,
    samples: &[ComponentSample],
) -> Result<Vec<ComponentSample>> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO health_samples (component, at, up, degraded, down, latency_ms, error)
             SELECT component, $1, (status = 'up')::integer, (status = 'degraded')::integer,
                    (status = 'down')::integer, latency_ms, error
             FROM unnest($2::text[], $3::text[], $4::float8[], $5::text[]) AS s (component, status, latency_ms, error)
             ON CONFLICT (component, at) DO NOTHING
             RETURNING component",
        )
        .await?;
    let components: Vec<_> = samples.iter().map(|sample| sample.component.as_str()).collect();
    let statuses: Vec<_> = samples.iter().map(|sample| sample.status.as_str()).collect();
    let latencies: Vec<_> = samples.iter().map(|sample| sample.latency_ms).collect();
    let errors: Vec<_> = samples.iter().map(|sample| sample.error.as_deref()).collect();
    let rows = transaction.query(&statement, &[&at, &components, &statuses, &latencies, &errors]).await?;
    let inserted = rows.iter().map(|row| row.try_get::<_, &str>(0)).collect::<Result<Vec<_>, _>>()?;
    Ok(samples.iter().filter(|sample| inserted.contains(&sample.component.as_str())).cloned().collect())
}

/// The uptime since `from` of one component or of all.
pub async fn list_uptimes(
    client: &impl GenericClient,
    component: Option<Component>,
    from: OffsetDateTime,
) -> Result<Vec<(Component, Uptime)>> {
    let statement = client
        .prepare_cached(
            "SELECT component, sum(up + degraded), sum(up + degraded + down)
             FROM health_samples
             WHERE at >= $1 AND ($2::text IS NULL OR component = $2)
             GROUP BY component",
        )
        .await?;
    let rows = client.query(&statement, &[&from, &component.map(Component::as_str)]).await?;
    let uptimes = rows.iter().filter_map(|row| {
        let component = row.try_get::<_, &str>(0).ok()?.parse().ok()?;
        let read = || Ok(Uptime { available: row.try_get(1)?, total: row.try_get(2)? });
        Some(read().map(|uptime| (component, uptime)))
    });
    uptimes.collect()
}

/// The samples of a component since `from`, oldest first.
pub async fn list_samples(
    client: &impl GenericClient,
    component: Component,
    from: OffsetDateTime,
) -> Result<Vec<SampleRow>> {
    let statement = client
        .prepare_cached(
            "SELECT at, span_seconds, up, degraded, down, latency_ms, error
             FROM health_samples
             WHERE component = $1 AND at >= $2
             ORDER BY at",
        )
        .await?;
    let rows = client.query(&statement, &[&component.as_str(), &from]).await?;
    rows.iter().map(read_sample).collect()
}

fn read_sample(row: &Row) -> Result<SampleRow> {
    Ok(SampleRow {
        at: row.try_get(0)?,
        span_seconds: row.try_get(1)?,
        up: row.try_get(2)?,
        degraded: row.try_get(3)?,
        down: row.try_get(4)?,
        latency_ms: row.try_get(5)?,
        error: row.try_get(6)?,
    })
}
