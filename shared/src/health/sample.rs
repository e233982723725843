//! Samples: what a report found of each component.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    health::{Component, ComponentStatus},
    types::timestamp,
};

/// What one report found of one component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentSample {
    #[serde(deserialize_with = "component")]
    pub component: Component,
    pub status: ComponentStatus,
    /// Milliseconds until the component responded.
    pub latency_ms: Option<f64>,
    pub error: Option<String>,
}

fn component<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Component, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// The length of the time of which at most one sample per component is recorded.
const SLOT_SECONDS: i64 = 60;

/// The samples of one minute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MinuteSamples {
    /// The beginning of the minute.
    #[serde(with = "time::serde::timestamp")]
    pub at: OffsetDateTime,
    pub samples: Vec<ComponentSample>,
}

impl MinuteSamples {
    /// The samples of the minute that contains `moment`.
    pub fn of(moment: OffsetDateTime, samples: Vec<ComponentSample>) -> Self {
        let second = moment.unix_timestamp();
        let begin = second - second.rem_euclid(SLOT_SECONDS);
        Self { at: OffsetDateTime::from_unix_timestamp(begin).unwrap_or(moment), samples }
    }
}

/// The share of samples in which a component worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uptime {
    /// Samples with the status `up` or `degraded`.
    pub available: i64,
    /// All samples.
    pub total: i64,
}

impl Uptime {
    /// The share of available samples, 0 to 1.
    pub fn share(self) -> f64 {
        // Counts of samples are far below the integers that an f64 cannot represent.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let share = self.available as f64 / self.total.max(1) as f64;
        share
    }
}

/// A recorded sample; an old row stands for several samples.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = HealthSample))]
pub struct SampleRow {
    /// When the sample was taken; for a row of several samples, the beginning of their time span.
    #[serde(serialize_with = "timestamp")]
    pub at: OffsetDateTime,
    /// The length of the time span in seconds; 0 for a single sample.
    pub span_seconds: i32,
    /// Samples with the status `up`.
    pub up: i32,
    /// Samples with the status `degraded`.
    pub degraded: i32,
    /// Samples with the status `down`.
    pub down: i32,
    /// Milliseconds of the slowest response; `null` if the component never responded.
    pub latency_ms: Option<f32>,
    /// The last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
