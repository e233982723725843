//! Samples that could not be recorded, in Redis.

use redis::cmd;

use crate::{
    clients::redis::Redis,
    config::{ConfigError, RedisConfig},
    error::Result,
    health::MinuteSamples,
};

/// The greatest number of minutes in the backlog: one day.
const CAPACITY: isize = 1440;

/// The greatest number of minutes that one run takes.
const MINUTES_PER_RUN: usize = 240;

/// Samples that wait to be recorded, in a sorted set ordered by their time.
pub(super) struct SampleBacklog {
    redis: Redis,
    key: String,
}

/// Samples of the backlog, and the member of the sorted set that contains them.
pub(super) struct BacklogEntry {
    member: String,
    pub(super) samples: MinuteSamples,
}

impl SampleBacklog {
    pub(super) fn connect(redis: &RedisConfig, prefix: &str) -> Result<Self, ConfigError> {
        Ok(Self { redis: Redis::connect(redis)?, key: format!("{prefix}health:unrecorded") })
    }

    /// The oldest entries. Empty when Redis does not respond.
    pub(super) async fn oldest(&self) -> Vec<BacklogEntry> {
        let mut range = cmd("ZRANGE");
        range.arg(&self.key).arg(0).arg(MINUTES_PER_RUN - 1);
        let members: Vec<String> = self.redis.query(&range).await.unwrap_or_default();
        let read = |member: String| Some(BacklogEntry { samples: serde_json::from_str(&member).ok()?, member });
        members.into_iter().filter_map(read).collect()
    }

    pub(super) async fn add(&self, samples: &MinuteSamples) {
        let Ok(member) = serde_json::to_string(samples) else { return };
        let (mut add, mut trim) = (cmd("ZADD"), cmd("ZREMRANGEBYRANK"));
        add.arg(&self.key).arg(samples.at.unix_timestamp()).arg(member);
        trim.arg(&self.key).arg(0).arg(-CAPACITY - 1);
        for command in [add, trim] {
            if let Err(error) = self.redis.query::<i64>(&command).await {
                tracing::error!(error = %error.chain(), "samples lost: neither PostgreSQL nor Redis stored them");
                return;
            }
        }
    }

    pub(super) async fn remove(&self, entries: &[BacklogEntry]) {
        if entries.is_empty() {
            return;
        }
        let mut remove = cmd("ZREM");
        remove.arg(&self.key).arg(entries.iter().map(|entry| &entry.member).collect::<Vec<_>>());
        if let Err(error) = self.redis.query::<i64>(&remove).await {
            // The next run records them again, which changes nothing.
            tracing::warn!(error = %error.chain(), "removing recorded samples from the backlog failed");
        }
    }
}
