//! Records the schedule's reports in the platform database.
//!
//! While the platform database is down, its own samples cannot be recorded. They wait in a backlog in Redis and are recorded
//! later, so that an outage of the platform database is part of the history.

use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    clients::postgres::Postgres,
    config::{ConfigError, RedisConfig},
    error::{Error, Result},
    health::{
        MinuteSamples, RecordedSamples, ThinningResult,
        checks::{backlog::SampleBacklog, report::HealthReport},
        record_samples, thin_history,
    },
};

/// The greatest number of rows of each age that one run thins. One minute adds about twenty.
const THINNED_PER_RUN: i64 = 2000;

/// How long a run may take.
const TIMEOUT: Duration = Duration::from_secs(6);

/// Records reports.
pub struct Recorder {
    platform: Postgres,
    backlog: SampleBacklog,
}

/// The result of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RecordedHealth {
    /// Recorded samples.
    pub samples: usize,
    /// Components whose state changed.
    pub changes: usize,
    /// Old rows that were merged into another row.
    pub merged: u64,
    /// Rows that were too old.
    pub deleted: u64,
}

impl Recorder {
    /// Opens no connection.
    pub fn connect(platform: Postgres, redis: &RedisConfig, prefix: &str) -> Result<Self, ConfigError> {
        Ok(Self { platform, backlog: SampleBacklog::connect(redis, prefix)? })
    }

    /// Records the samples of a report and those of the backlog, then thins the history. Of several reports of one minute,
    /// only the first is recorded. If recording fails, the samples are added to the backlog.
    pub async fn record(&self, report: &HealthReport) -> Result<RecordedHealth> {
        let samples = MinuteSamples::of(report.checked_at, report.samples());
        let recorded = tokio::time::timeout(TIMEOUT, self.write(&samples)).await;
        match recorded.unwrap_or(Err(Error::DeadlineExceeded)) {
            Ok(recorded) => Ok(recorded),
            Err(error) => {
                self.backlog.add(&samples).await;
                Err(error)
            }
        }
    }

    async fn write(&self, samples: &MinuteSamples) -> Result<RecordedHealth> {
        // The session is closed, not returned to the pool, unless everything succeeds: the next run must not wait for a
        // connection that hung in this one.
        let mut session = self.platform.session().await?;
        let backlog = self.backlog.oldest().await;
        let minutes = backlog.iter().map(|entry| &entry.samples).chain([samples]);
        let RecordedSamples { samples, changes } = record_samples(&mut session, minutes).await?;
        self.backlog.remove(&backlog).await;
        let thinned = thin_history(&mut session, OffsetDateTime::now_utc(), THINNED_PER_RUN).await?;
        let ThinningResult { merged, deleted } = thinned;
        session.give_back();
        Ok(RecordedHealth { samples, changes, merged, deleted })
    }
}
