//! The number of dead letters in the newest report on health.

use std::{collections::BTreeMap, time::Duration};

use redis::cmd;
use serde::Deserialize;
use time::OffsetDateTime;

use crate::{
    clients::redis::Redis,
    config::{ConfigError, RedisConfig},
    health::{ComponentStatus, LATEST_REPORT_KEY},
    overview::{OverviewDeadLetters, UnknownDeadLetters},
};

/// How long Redis may take: a part of the time that an overview may take.
const TIMEOUT: Duration = Duration::from_millis(100);

/// Reads the newest report on health.
pub struct LatestDeadLetters {
    redis: Redis,
    key: String,
}

/// The parts of a report that are needed.
#[derive(Deserialize)]
struct Report {
    #[serde(with = "time::serde::rfc3339")]
    checked_at: OffsetDateTime,
    infrastructure: Infrastructure,
}

#[derive(Deserialize)]
struct Infrastructure {
    sqs: Queues,
}

#[derive(Deserialize)]
struct Queues {
    status: ComponentStatus,
    queues: BTreeMap<String, Queue>,
}

#[derive(Deserialize)]
struct Queue {
    /// `None` for a queue without a queue of dead letters.
    dead_letters: Option<i64>,
}

impl LatestDeadLetters {
    /// Opens no connection. The names of keys begin with `prefix`.
    pub fn connect(config: &RedisConfig, prefix: &str) -> Result<Self, ConfigError> {
        let redis = Redis::connect(&RedisConfig { timeout: config.timeout.min(TIMEOUT), ..config.clone() })?;
        Ok(Self { redis, key: format!("{prefix}{LATEST_REPORT_KEY}") })
    }

    pub(super) async fn read(&self) -> OverviewDeadLetters {
        let mut get = cmd("GET");
        get.arg(&self.key);
        match self.redis.query::<Option<String>>(&get).await {
            Ok(report) => report.as_deref().map_or_else(no_report, of_report),
            Err(error) => {
                tracing::warn!(error = error.chain(), "reading the newest report on health failed");
                unknown(None, UnknownDeadLetters::RedisUnavailable)
            }
        }
    }
}

/// A report of another version, which may have another form, counts as none.
fn of_report(text: &str) -> OverviewDeadLetters {
    let Ok(Report { checked_at, infrastructure: Infrastructure { sqs } }) = serde_json::from_str(text) else {
        return no_report();
    };
    if sqs.status == ComponentStatus::Down {
        return unknown(Some(checked_at), UnknownDeadLetters::SqsUnavailable);
    }
    let number = sqs.queues.values().filter_map(|queue| queue.dead_letters).sum();
    OverviewDeadLetters { measured_at: Some(checked_at), number: Some(number), unknown: None }
}

fn no_report() -> OverviewDeadLetters {
    unknown(None, UnknownDeadLetters::NoReport)
}

fn unknown(measured_at: Option<OffsetDateTime>, reason: UnknownDeadLetters) -> OverviewDeadLetters {
    OverviewDeadLetters { measured_at, number: None, unknown: Some(reason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_letters_are_added_over_the_queues_unless_the_queues_are_down_or_the_report_is_unreadable() {
        let report = |status: &str, queues: &str| {
            let sqs =
                format!(r#"{{"status": "{status}", "latency_ms": 1, "oldest_age_seconds": 0, "queues": {queues}}}"#);
            let text = format!(
                r#"{{"status": "degraded", "checked_at": "2026-01-15T09:30:00Z", "infrastructure": {{"sqs": {sqs}}}}}"#
            );
            let OverviewDeadLetters { measured_at, number, unknown } = of_report(&text);
            (measured_at.is_some(), number, unknown)
        };
        let queues = r#"{"a": {"depth": 9, "dead_letters": 2}, "b": {"dead_letters": 3}, "c": {"dead_letters": null}}"#;
        assert_eq!(report("degraded", queues), (true, Some(5), None));
        assert_eq!(report("up", "{}"), (true, Some(0), None));
        assert_eq!(report("down", "{}"), (true, None, Some(UnknownDeadLetters::SqsUnavailable)));
        assert_eq!(report("up", "[]"), (false, None, Some(UnknownDeadLetters::NoReport)));
    }
}
