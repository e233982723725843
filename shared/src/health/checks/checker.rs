//! Makes reports, and shares them.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::{
    config::ConfigError,
    error::{Error, Result},
    health::{
        ComponentStatus,
        checks::{
            deadline::ProbeDeadline,
            latest::{LatestReport, ReportClaim},
            max_age::MaxAge,
            probes::HealthProbes,
            report::HealthReport,
            single_flight::SingleFlight,
            targets::HealthTargets,
        },
    },
};

/// How recent a report must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Made from now on, or being made.
    Live,
    /// No older than this.
    Within(Duration),
}

impl Default for Freshness {
    fn default() -> Self {
        Self::Within(MaxAge::default().duration())
    }
}

/// Makes reports. Cheap to clone.
#[derive(Clone)]
pub struct HealthChecker(Arc<SharedChecker>);

struct SharedChecker {
    probes: HealthProbes,
    latest: LatestReport,
    flight: SingleFlight<Arc<HealthReport>>,
    probe_timeout: Duration,
}

impl HealthChecker {
    /// Opens no connection.
    pub fn connect(targets: &HealthTargets) -> Result<Self, ConfigError> {
        let probe_timeout = targets.health.probe_timeout;
        Ok(Self(Arc::new(SharedChecker {
            probes: HealthProbes::connect(targets)?,
            latest: LatestReport::connect(&targets.redis, &targets.redis_prefix, probe_timeout)?,
            flight: SingleFlight::new(),
            probe_timeout,
        })))
    }

    /// Returns the latest report if it is fresh enough, and a new one otherwise.
    pub async fn report(&self, freshness: Freshness) -> Result<Arc<HealthReport>> {
        let (begun, arrived) = (Instant::now(), OffsetDateTime::now_utc());
        let mut redis_responds = true;
        if let Freshness::Within(limit) = freshness {
            match self.0.latest.find().await {
                Ok(Some(report)) if report.age() <= limit => return Ok(Arc::new(report)),
                Ok(_) => {}
                Err(error) => {
                    error.log("latest report");
                    redis_responds = false;
                }
            }
        }
        let shared = Arc::clone(&self.0);
        let suits = move |report: &HealthReport| match freshness {
            Freshness::Within(limit) if report.age() <= limit => true,
            // A report that ended after the request arrived is fresh enough for any request.
            _ => report.ended_at() >= arrived,
        };
        let report =
            self.0.flight.run(|| async move { Arc::new(shared.make(begun, redis_responds, suits).await) }.boxed());
        report.await.ok_or_else(|| Error::internal("the probes panicked"))
    }
}

impl SharedChecker {
    /// Makes a report, or waits for the one that another process is making.
    async fn make(&self, begun: Instant, redis_responds: bool, suits: impl Fn(&HealthReport) -> bool) -> HealthReport {
        let limit = self.probe_timeout;
        let mut owner = None;
        if redis_responds {
            match self.latest.claim(limit).await {
                Ok((Some(report), _)) if suits(&report) => return report,
                Ok((_, ReportClaim::Acquired(id))) => owner = Some(id),
                // If nothing hangs, the other process is done soon. Otherwise this request must still end in time.
                Ok((_, ReportClaim::HeldByOther(lease))) => {
                    if let Some(report) = self.latest.wait(lease.min(limit / 5), &suits).await {
                        return report;
                    }
                }
                Err(error) => error.log("latest report"),
            }
        }
        let report = self.probes.run(ProbeDeadline::new(begun, limit)).boxed().await;
        if report.infrastructure.redis.status == ComponentStatus::Up {
            self.latest.put(&report, owner).await;
        }
        report
    }
}
