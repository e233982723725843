//! Samples: what was found of each component, minute by minute.

use deadpool_postgres::{GenericClient, Transaction};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio_postgres::Row;

use crate::{
    error::Result,
    health::{Component, Condition},
    types::timestamp,
};

/// What was found of one component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Of what.
    #[serde(deserialize_with = "component")]
    pub component: Component,
    /// How it was found.
    pub condition: Condition,
    /// Milliseconds until it answered.
    pub latency_ms: Option<f64>,
    /// What was wrong.
    pub error: Option<String>,
}

fn component<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Component, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// Inserts what was found at a moment; gives back what had not been inserted before.
pub async fn insert_samples(
    transaction: &Transaction<'_>,
    at: OffsetDateTime,
    samples: &[Sample],
) -> Result<Vec<Sample>> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO health_samples (component, at, up, degraded, down, latency_ms, error)
             SELECT component, $1, (condition = 'up')::integer, (condition = 'degraded')::integer,
                    (condition = 'down')::integer, latency_ms, error
             FROM unnest($2::text[], $3::text[], $4::float8[], $5::text[]) AS s (component, condition, latency_ms, error)
             ON CONFLICT (component, at) DO NOTHING
             RETURNING component",
        )
        .await?;
    let components: Vec<_> = samples.iter().map(|sample| sample.component.as_str()).collect();
    let conditions: Vec<_> = samples.iter().map(|sample| sample.condition.as_str()).collect();
    let latencies: Vec<_> = samples.iter().map(|sample| sample.latency_ms).collect();
    let errors: Vec<_> = samples.iter().map(|sample| sample.error.as_deref()).collect();
    let rows = transaction.query(&statement, &[&at, &components, &conditions, &latencies, &errors]).await?;
    let inserted = rows.iter().map(|row| row.try_get::<_, &str>(0)).collect::<Result<Vec<_>, _>>()?;
    Ok(samples.iter().filter(|sample| inserted.contains(&sample.component.as_str())).cloned().collect())
}

/// How often a component was found well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uptime {
    /// Samples that found it up or degraded.
    pub well: i64,
    /// All samples.
    pub total: i64,
}

impl Uptime {
    /// The share of samples that found it well, 0 to 1.
    pub fn share(self) -> f64 {
        // Counts of samples are far below where an f64 would lose one.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let share = self.well as f64 / self.total.max(1) as f64;
        share
    }
}

/// How often components, or one, were found well since a moment.
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
        let read = || Ok(Uptime { well: row.try_get(1)?, total: row.try_get(2)? });
        Some(read().map(|uptime| (component, uptime)))
    });
    uptimes.collect()
}

/// A sample as it is kept; with age, one row for several.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = HealthSample))]
pub struct StoredSample {
    /// When it was taken; of several, when their time began.
    #[serde(serialize_with = "timestamp")]
    pub at: OffsetDateTime,
    /// How many seconds that time has; 0 of a single sample.
    pub span_seconds: i32,
    /// How many samples found it up.
    pub up: i32,
    /// How many found it degraded.
    pub degraded: i32,
    /// How many found it down.
    pub down: i32,
    /// Milliseconds of the slowest answer; `null` where there was none.
    pub latency_ms: Option<f32>,
    /// The last thing that was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Samples of a component since a moment, oldest first.
pub async fn list_samples(
    client: &impl GenericClient,
    component: Component,
    from: OffsetDateTime,
) -> Result<Vec<StoredSample>> {
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

fn read_sample(row: &Row) -> Result<StoredSample> {
    Ok(StoredSample {
        at: row.try_get(0)?,
        span_seconds: row.try_get(1)?,
        up: row.try_get(2)?,
        degraded: row.try_get(3)?,
        down: row.try_get(4)?,
        latency_ms: row.try_get(5)?,
        error: row.try_get(6)?,
    })
}
