//! The latest report, in Redis, and which process is making the next one: concurrent requests to several processes cause one
//! round of probes. Best effort: a process that gets no quick response from Redis makes its own report.

use std::time::Duration;

use redis::{Script, cmd};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::{
    clients::redis::Redis,
    config::{ConfigError, RedisConfig},
    error::Result,
    health::{
        LATEST_REPORT_KEY,
        checks::{deadline::ProbeDeadline, error::ProbeError, report::HealthReport},
    },
};

/// How long the latest report is kept: the greatest age that a request may accept.
const KEPT_SECONDS: i64 = 3600;

/// The pause between two looks for the report of another process.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Returns the latest report, and 0 if the caller now holds the claim to make the next one. Otherwise it returns the
/// milliseconds until the claim of another process expires.
const CLAIM: &str = r"
local latest = redis.call('GET', KEYS[1])
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return {latest, 0}
end
return {latest, math.max(redis.call('PTTL', KEYS[2]), 1)}
";

/// Stores a report and releases the claim of its maker.
const PUT: &str = r"
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
if redis.call('GET', KEYS[2]) == ARGV[3] then
    redis.call('DEL', KEYS[2])
end
return 1
";

pub(super) struct LatestReport {
    redis: Redis,
    report_key: String,
    claim_key: String,
    /// How long Redis may take: a small part of a probe, because Redis only saves work here.
    timeout: Duration,
    claim: Script,
    put: Script,
}

/// The claim to make the next report.
pub(super) enum ReportClaim {
    /// The caller holds it, under this id.
    Acquired(Uuid),
    /// Another process holds it, at most for this long.
    HeldByOther(Duration),
}

impl LatestReport {
    /// Opens no connection.
    pub(super) fn connect(config: &RedisConfig, prefix: &str, probe_timeout: Duration) -> Result<Self, ConfigError> {
        let timeout = probe_timeout / 10;
        // Connecting and responding each take at most half of that, so that a connection that hangs is detected and dropped.
        let redis = Redis::connect(&RedisConfig { timeout: timeout / 2, ..config.clone() })?;
        Ok(Self {
            redis,
            report_key: format!("{prefix}{LATEST_REPORT_KEY}"),
            claim_key: format!("{prefix}health:probing"),
            timeout,
            claim: Script::new(CLAIM),
            put: Script::new(PUT),
        })
    }

    /// The latest report. An error means that Redis does not respond.
    pub(super) async fn find(&self) -> Result<Option<HealthReport>, ProbeError> {
        let mut get = cmd("GET");
        get.arg(&self.report_key);
        let text: Option<String> = self.within_timeout(self.redis.query(&get)).await?;
        Ok(text.as_deref().and_then(parse))
    }

    /// The latest report, and the claim to make the next one.
    pub(super) async fn claim(
        &self,
        probe_timeout: Duration,
    ) -> Result<(Option<HealthReport>, ReportClaim), ProbeError> {
        let id = Uuid::now_v7();
        // The time that the probes take, and that their report takes to arrive here.
        let lease = probe_timeout + self.timeout;
        let mut call = self.claim.key(&self.report_key);
        call.key(&self.claim_key).arg(id.to_string()).arg(u64::try_from(lease.as_millis()).unwrap_or(1000));
        let (text, remaining): (Option<String>, u64) = self.within_timeout(self.redis.run(&call)).await?;
        let claim = match remaining {
            0 => ReportClaim::Acquired(id),
            milliseconds => ReportClaim::HeldByOther(Duration::from_millis(milliseconds)),
        };
        Ok((text.as_deref().and_then(parse), claim))
    }

    /// Waits at most `limit` for the report of another process. `None` when that process ends without a suitable report.
    pub(super) async fn wait(&self, limit: Duration, suits: impl Fn(&HealthReport) -> bool) -> Option<HealthReport> {
        let mut get = cmd("MGET");
        get.arg(&self.report_key).arg(&self.claim_key);
        let poll = async {
            loop {
                sleep(POLL_INTERVAL).await;
                let (text, claim): (Option<String>, Option<String>) =
                    self.within_timeout(self.redis.query(&get)).await.ok()?;
                let report = text.as_deref().and_then(parse).filter(&suits);
                if report.is_some() || claim.is_none() {
                    return report;
                }
            }
        };
        timeout(limit, poll).await.ok().flatten()
    }

    /// Stores a report for other processes and requests.
    pub(super) async fn put(&self, report: &HealthReport, owner: Option<Uuid>) {
        let Ok(text) = serde_json::to_string(report) else { return };
        let mut call = self.put.key(&self.report_key);
        call.key(&self.claim_key).arg(text).arg(KEPT_SECONDS).arg(owner.unwrap_or_default().to_string());
        if let Err(error) = self.within_timeout(self.redis.run::<i64>(&call)).await {
            error.log("latest report");
        }
    }

    async fn within_timeout<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T, ProbeError> {
        let deadline = ProbeDeadline::new(Instant::now(), self.timeout);
        Ok(deadline.wait(async { Ok(call.await?) }).await?.value)
    }
}

/// A report of another version, which may have another form, is ignored.
fn parse(text: &str) -> Option<HealthReport> {
    serde_json::from_str(text).ok()
}
