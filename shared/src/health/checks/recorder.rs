//! The history: what the schedule's reports found, in the platform database.
//!
//! While that is down its own samples have no place there, of all samples. They wait in Redis, and are written down when it
//! is back: an outage of the history's own store is part of the history.

use std::time::Duration;

use deadpool_postgres::Transaction;
use redis::cmd;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::health::checks::{
    report::{Finding, HealthReport},
    state,
};
use crate::{
    clients::{postgres::Postgres, redis::Redis},
    config::{ConfigError, RedisConfig},
    error::{Error, Result},
    events::{self, Event},
    health::{
        self,
        store::{Change, Sample, Thinned},
    },
};

/// There is one sample of a component in this time, whoever takes it and however often.
const SLOT_SECONDS: i64 = 60;

/// Samplings that wait in Redis at the most: a day's.
const WAITING: isize = 1440;

/// Of these, so many are written down by one run.
const AT_ONCE: usize = 240;

/// Rows of each age that one run thins at the most. A minute brings some twenty.
const THINNED_AT_ONCE: i64 = 2000;

/// How long a run may be at it.
const PATIENCE: Duration = Duration::from_secs(6);

/// Writes down what reports found.
pub struct Recorder {
    platform: Postgres,
    redis: Redis,
    waiting_key: String,
}

/// What was found at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sampling {
    #[serde(with = "time::serde::timestamp")]
    at: OffsetDateTime,
    samples: Vec<Sample>,
}

impl Sampling {
    /// At the beginning of the slot that the report was made in.
    fn of(report: &HealthReport) -> Self {
        let second = report.checked_at.unix_timestamp();
        let begun = second - second.rem_euclid(SLOT_SECONDS);
        let at = OffsetDateTime::from_unix_timestamp(begun).unwrap_or(report.checked_at);
        let sample = |finding: Finding| Sample {
            component: finding.component,
            condition: finding.condition,
            latency_ms: finding.latency_ms,
            error: finding.error,
        };
        Self { at, samples: report.findings().into_iter().map(sample).collect() }
    }
}

/// What a run wrote down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// Samples.
    pub samples: usize,
    /// Components that came to stand elsewhere.
    pub changes: usize,
    /// Rows that became part of another, with age.
    pub merged: u64,
    /// Rows that were too old.
    pub deleted: u64,
}

impl Recorder {
    /// Connects to nothing yet.
    pub fn connect(platform: Postgres, redis: &RedisConfig, prefix: &str) -> Result<Self, ConfigError> {
        Ok(Self { platform, redis: Redis::connect(redis)?, waiting_key: format!("{prefix}health:unrecorded") })
    }

    /// Writes down what a report found, and what waits from before; then thins what is old. Of the same minute, only the
    /// first report is written down.
    pub async fn record(&self, report: &HealthReport) -> Result<Recorded> {
        let sampling = Sampling::of(report);
        let written = tokio::time::timeout(PATIENCE, self.write(&sampling)).await;
        match written.unwrap_or(Err(Error::DeadlineExceeded)) {
            Ok(recorded) => Ok(recorded),
            Err(error) => {
                self.put_off(&sampling).await;
                Err(error)
            }
        }
    }

    async fn write(&self, sampling: &Sampling) -> Result<Recorded> {
        // Closed, and not given back, unless all went well: the next run is not to wait for what this one waited for.
        let mut session = self.platform.session().await?;
        let waiting = self.waiting().await;
        let mut recorded = Recorded::default();
        let transaction = session.transaction().await?;
        health::store::lock(&transaction).await?;
        let earlier = waiting.iter().map(|(_, earlier)| earlier);
        for sampling in earlier.chain([sampling]) {
            write_sampling(&transaction, sampling, &mut recorded).await?;
        }
        transaction.commit().await?;
        self.forget(&waiting).await;

        let transaction = session.transaction().await?;
        let Thinned { merged, deleted } =
            health::store::thin(&transaction, OffsetDateTime::now_utc(), THINNED_AT_ONCE).await?;
        transaction.commit().await?;
        session.give_back();
        Ok(Recorded { merged, deleted, ..recorded })
    }

    /// Samplings that wait, oldest first, and the text that they are there.
    async fn waiting(&self) -> Vec<(String, Sampling)> {
        let mut range = cmd("ZRANGE");
        range.arg(&self.waiting_key).arg(0).arg(AT_ONCE - 1);
        let texts: Vec<String> = self.redis.query(&range).await.unwrap_or_default();
        let read =
            |text: String| Some((serde_json::from_str(&text).ok()?, text)).map(|(sampling, text)| (text, sampling));
        texts.into_iter().filter_map(read).collect()
    }

    async fn put_off(&self, sampling: &Sampling) {
        let Ok(text) = serde_json::to_string(sampling) else { return };
        let (mut add, mut trim) = (cmd("ZADD"), cmd("ZREMRANGEBYRANK"));
        add.arg(&self.waiting_key).arg(sampling.at.unix_timestamp()).arg(text);
        trim.arg(&self.waiting_key).arg(0).arg(-WAITING - 1);
        for command in [add, trim] {
            if let Err(error) = self.redis.query::<i64>(&command).await {
                tracing::error!(error = %error.chain(), "what was found is lost: neither PostgreSQL nor Redis takes it");
                return;
            }
        }
    }

    async fn forget(&self, written: &[(String, Sampling)]) {
        if written.is_empty() {
            return;
        }
        let mut remove = cmd("ZREM");
        remove.arg(&self.waiting_key).arg(written.iter().map(|(text, _)| text).collect::<Vec<_>>());
        if let Err(error) = self.redis.query::<i64>(&remove).await {
            // They will be found written down already.
            tracing::warn!(error = %error.chain(), "what was written down still waits in Redis");
        }
    }
}

/// Inserts the samples, and moves the states with those that are new.
async fn write_sampling(transaction: &Transaction<'_>, sampling: &Sampling, recorded: &mut Recorded) -> Result<()> {
    let new = health::store::insert_samples(transaction, sampling.at, &sampling.samples).await?;
    let before = health::store::list_states(transaction).await?;
    let (mut states, mut changes) = (Vec::new(), Vec::new());
    for sample in &new {
        let component = sample.component;
        let earlier = before.iter().find(|(of, _)| *of == component).map(|(_, state)| state);
        let state = state::after(earlier, sampling.at, sample);
        if let Some(earlier) = earlier.filter(|earlier| earlier.condition != state.condition) {
            let (at, error) = (sampling.at, sample.error.clone());
            changes.push(Change { component, at, from: earlier.condition, to: state.condition, error });
        }
        states.push((component, state));
    }
    health::store::upsert_states(transaction, &states).await?;
    health::store::insert_changes(transaction, &changes).await?;
    for change in &changes {
        tracing::info!(health.component = %change.component, from = change.from.as_str(), to = change.to.as_str(), "health changed");
        events::store::enqueue_event(transaction, &Event::new("health.changed", change.component, change)).await?;
    }
    recorded.samples += new.len();
    recorded.changes += changes.len();
    Ok(())
}
