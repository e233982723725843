//! The bound on requests that wait at the same time, in all processes together. A waiting request occupies a Lambda sandbox, and
//! the function has a limited number of them, some of which must be left for requests that do not wait.
//!
//! The slots are counted in Redis. Each expires, so that a process that ended while it waited frees its slot.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    clients::redis::Redis,
    quota::{self, Quota, QuotaUnit},
};

/// The sorted set of the taken slots: random ids, by the time at which they expire in microseconds since 1970.
const KEY: &str = "operations:waiting";

/// How long a slot outlives the wait that it was taken for.
const MARGIN: Duration = Duration::from_secs(5);

/// Takes a slot unless all are taken. `KEYS`: the set. `ARGV`: the id, the number of slots, the lifetime in microseconds. Taking
/// the same slot again has no effect. Returns the number of free slots, or -1 if the slot was not taken.
const TAKE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
    return -1
end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], 60000)
return tonumber(ARGV[2]) - redis.call('ZCARD', KEYS[1])
";

pub struct WaitSlots {
    redis: Redis,
    key: String,
    /// The number of slots.
    max: usize,
}

/// A taken slot.
#[derive(Debug)]
pub struct WaitSlot(String);

impl WaitSlots {
    pub fn new(redis: Redis, max: usize) -> Self {
        Self { redis, key: KEY.to_owned(), max }
    }

    /// The same slots in another set, whose name begins with `prefix`.
    #[must_use]
    pub fn with_prefix(self, prefix: &str) -> Self {
        Self { key: format!("{prefix}{KEY}"), ..self }
    }

    /// Takes a slot for a wait of `duration`. `None` if all are taken, or if Redis does not respond.
    pub async fn take(&self, duration: Duration) -> Option<WaitSlot> {
        if self.max == 0 {
            return None;
        }
        let id = Uuid::now_v7().simple().to_string();
        let lifetime = u64::try_from((duration + MARGIN).as_micros()).unwrap_or(u64::MAX);
        let mut command = redis::cmd("EVAL");
        command.arg(TAKE).arg(1).arg(&self.key).arg(&id).arg(self.max).arg(lifetime);
        match self.redis.query::<i64>(&command).await {
            Ok(free) => {
                self.report(u64::try_from(free).unwrap_or(0));
                (free >= 0).then_some(WaitSlot(id))
            }
            Err(error) => {
                tracing::warn!(error = error.chain(), "counting the waiting requests failed, not waiting");
                None
            }
        }
    }

    /// Reports how many further requests may wait.
    fn report(&self, remaining: u64) {
        quota::report(Quota {
            policy: "waiting_requests",
            limit: u64::try_from(self.max).unwrap_or(u64::MAX),
            unit: QuotaUnit::ConcurrentRequests,
            remaining,
            reset_seconds: None,
        });
    }

    /// Frees a slot before it expires. A failure is only logged.
    pub async fn free(&self, WaitSlot(id): WaitSlot) {
        if let Err(error) = self.redis.query::<i64>(redis::cmd("ZREM").arg(&self.key).arg(id)).await {
            tracing::warn!(error = error.chain(), "freeing the slot of a waiting request failed; it expires");
        }
    }
}
