//! The newest report, in Redis, and who is making the next: so that many who ask at once, in whichever process, cause one
//! probe. Best effort: whoever cannot ask Redis soon probes without it.

use std::time::Duration;

use redis::{Script, cmd};
use time::OffsetDateTime;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::health::checks::{
    probe::{Deadline, Trouble},
    report::HealthReport,
};
use crate::{
    clients::redis::Redis,
    config::{ConfigError, RedisConfig},
    error::Result,
};

/// How long the newest report is kept: as long as any request may ask for.
const KEPT_SECONDS: i64 = 3600;

/// Between two looks at whether another process is done.
const PAUSE: Duration = Duration::from_millis(20);

/// Gives the newest report and, where nobody is, makes the caller the one who is making the next (0); or says for how many
/// milliseconds another is, at the most.
const CLAIM: &str = r"
local newest = redis.call('GET', KEYS[1])
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return {newest, 0}
end
return {newest, math.max(redis.call('PTTL', KEYS[2]), 1)}
";

/// Puts a report there, and makes room for who makes the next.
const PUT: &str = r"
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
if redis.call('GET', KEYS[2]) == ARGV[3] then
    redis.call('DEL', KEYS[2])
end
return 1
";

/// The newest report.
pub(super) struct Newest {
    redis: Redis,
    report_key: String,
    maker_key: String,
    /// How long Redis may take: little, as it is only here to save work.
    patience: Duration,
    claim: Script,
    put: Script,
}

/// Who is making the next report.
pub(super) enum Maker {
    /// The caller, under this name.
    Caller(Uuid),
    /// Another process, for this long at the most.
    Another(Duration),
}

impl Newest {
    /// Connects to nothing yet. `probe_timeout` is how long a probe may take.
    pub(super) fn new(config: &RedisConfig, prefix: &str, probe_timeout: Duration) -> Result<Self, ConfigError> {
        let patience = probe_timeout / 10;
        // To connect and to be answered takes no longer than that, so a connection that hangs is found out, and dropped.
        let redis = Redis::connect(&RedisConfig { timeout: patience / 2, ..config.clone() })?;
        Ok(Self {
            redis,
            report_key: format!("{prefix}health:latest"),
            maker_key: format!("{prefix}health:probing"),
            patience,
            claim: Script::new(CLAIM),
            put: Script::new(PUT),
        })
    }

    /// The newest report. An error when Redis does not say.
    pub(super) async fn find(&self) -> Result<Option<HealthReport>, Trouble> {
        let mut get = cmd("GET");
        get.arg(&self.report_key);
        let text: Option<String> = self.soon(self.redis.query(&get)).await?;
        Ok(text.as_deref().and_then(read))
    }

    /// The newest report, and who makes the next.
    pub(super) async fn claim(&self, limit: Duration) -> Result<(Option<HealthReport>, Maker), Trouble> {
        let name = Uuid::now_v7();
        // As long as a probe takes, and its report needs to get here.
        let lease = limit + self.patience;
        let mut call = self.claim.key(&self.report_key);
        call.key(&self.maker_key).arg(name.to_string()).arg(u64::try_from(lease.as_millis()).unwrap_or(1000));
        let (text, others): (Option<String>, u64) = self.soon(self.redis.run(&call)).await?;
        let maker = if others == 0 { Maker::Caller(name) } else { Maker::Another(Duration::from_millis(others)) };
        Ok((text.as_deref().and_then(read), maker))
    }

    /// Waits for what another process finds, no longer than `limit`. `None` when that comes to nothing.
    pub(super) async fn wait(&self, limit: Duration, suits: impl Fn(&HealthReport) -> bool) -> Option<HealthReport> {
        let mut get = cmd("MGET");
        get.arg(&self.report_key).arg(&self.maker_key);
        let look = async {
            loop {
                sleep(PAUSE).await;
                let (text, maker): (Option<String>, Option<String>) = self.soon(self.redis.query(&get)).await.ok()?;
                let report = text.as_deref().and_then(read).filter(&suits);
                if report.is_some() || maker.is_none() {
                    return report;
                }
            }
        };
        timeout(limit, look).await.ok().flatten()
    }

    /// Puts a report there for others.
    pub(super) async fn put(&self, report: &HealthReport, maker: Option<Uuid>) {
        let Ok(text) = serde_json::to_string(report) else { return };
        let mut call = self.put.key(&self.report_key);
        call.key(&self.maker_key).arg(text).arg(KEPT_SECONDS).arg(maker.unwrap_or_default().to_string());
        if let Err(trouble) = self.soon(self.redis.run::<i64>(&call)).await {
            trouble.log("the newest report");
        }
    }

    async fn soon<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T, Trouble> {
        let deadline = Deadline::new(tokio::time::Instant::now(), self.patience);
        Ok(deadline.ask(async { Ok(call.await?) }).await?.answer)
    }
}

/// A report of an earlier version may have another form: it is none.
fn read(text: &str) -> Option<HealthReport> {
    serde_json::from_str(text).ok()
}

/// How old a report is. One of a clock that is ahead of ours is as new as can be.
pub(super) fn age(report: &HealthReport) -> Duration {
    Duration::try_from(OffsetDateTime::now_utc() - report.checked_at).unwrap_or_default()
}
