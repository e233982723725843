//! The samples of the components.

use deadpool_postgres::{GenericClient, Transaction};
use time::OffsetDateTime;

use crate::{
    error::Result,
    health::{Component, ComponentSample, SampleRow, Uptime},
    sql::{self, Columns},
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
    let components: Vec<_> = samples.iter().map(|sample| sample.component).collect();
    let statuses: Vec<_> = samples.iter().map(|sample| sample.status).collect();
    let latencies: Vec<_> = samples.iter().map(|sample| sample.latency_ms).collect();
    let errors: Vec<_> = samples.iter().map(|sample| sample.error.as_deref()).collect();
    let rows = transaction.query(&statement, &[&at, &components, &statuses, &latencies, &errors]).await?;
    let inserted = rows.iter().map(|row| row.try_get::<_, Component>(0)).collect::<Result<Vec<_>, _>>()?;
    Ok(samples.iter().filter(|sample| inserted.contains(&sample.component)).cloned().collect())
}

/// The uptime of a component, which this version may not know.
struct UptimeRow {
    component: Option<Component>,
    uptime: Uptime,
}

sql::columns! {
    UptimeColumns -> UptimeRow {
        component: "component" via |name: &str| Ok(name.parse().ok()),
        uptime: Uptime { available: "sum(up + degraded)", total: "sum(up + degraded + down)" },
    }
}

/// The uptime since `from` of one component or of all.
pub async fn list_uptimes(
    client: &impl GenericClient,
    component: Option<Component>,
    from: OffsetDateTime,
) -> Result<Vec<(Component, Uptime)>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            UptimeColumns::LIST,
            " FROM health_samples
             WHERE at >= $1 AND ($2::text IS NULL OR component = $2)
             GROUP BY component"
        ))
        .await?;
    let rows = client.query(&statement, &[&from, &component]).await?;
    let read = |row| UptimeColumns::read(row).map(|UptimeRow { component, uptime }| Some((component?, uptime)));
    rows.iter().filter_map(|row| read(row).transpose()).collect()
}

sql::columns! {
    SampleColumns -> SampleRow {
        at: "at",
        span_seconds: "span_seconds",
        up: "up",
        degraded: "degraded",
        down: "down",
        latency_ms: "latency_ms",
        error: "error",
    }
}

/// The samples of a component since `from`, oldest first.
pub async fn list_samples(
    client: &impl GenericClient,
    component: Component,
    from: OffsetDateTime,
) -> Result<Vec<SampleRow>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            SampleColumns::LIST,
            " FROM health_samples
             WHERE component = $1 AND at >= $2
             ORDER BY at"
        ))
        .await?;
    let rows = client.query(&statement, &[&component, &from]).await?;
    rows.iter().map(SampleColumns::read).collect()
}
