//! Schedules, as in `EventBridge` Scheduler.

use std::{future::Future, sync::Arc, time::Duration};

use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::{
    event_source::{ACCOUNT, REGION},
    invoke::{Invoke, InvokeError},
};

/// A schedule that invokes a function at a fixed rate.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The name of the function.
    pub function: &'static str,
    /// The time from one invocation to the next.
    pub rate: Duration,
    /// The event. `None` is the "Scheduled Event" of Scheduler.
    pub input: Option<&'static str>,
    /// After this an invocation has failed.
    pub timeout: Duration,
}

/// All schedules of `infra/template.yaml`.
pub const ALL: &[Schedule] = &[
    each_minute("check-health"),
    each_minute("measure-usage"),
    each_minute("reconcile-tenants"),
    each_minute("relay-events"),
];

const fn each_minute(function: &'static str) -> Schedule {
    let minute = Duration::from_mins(1);
    Schedule { function, rate: minute, input: None, timeout: minute }
}

/// Runs one schedule until `shutdown`. Invocations that were missed are skipped.
pub async fn run(schedule: Schedule, invoker: Arc<impl Invoke>, shutdown: impl Future<Output = ()> + Send) {
    let mut clock = interval(schedule.rate);
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            _ = clock.tick() => {}
            () = &mut shutdown => return,
        }
        tokio::select! {
            () = fire(&schedule, invoker.as_ref()) => {}
            () = &mut shutdown => return,
        }
    }
}

/// Invokes the function once. While functions are unreachable it tries again, until the next invocation is due.
async fn fire(schedule: &Schedule, invoker: &impl Invoke) {
    let function = schedule.function;
    let event = schedule.input.map_or_else(|| scheduled_event(function, OffsetDateTime::now_utc()), ToOwned::to_owned);
    let started = Instant::now();
    while started.elapsed() < schedule.rate {
        match timeout(schedule.timeout, invoker.invoke(function, event.clone())).await {
            Ok(Ok(_)) => {
                return tracing::debug!(
                    function,
                    duration_ms = started.elapsed().as_millis(),
                    "a scheduled invocation succeeded"
                );
            }
            Ok(Err(InvokeError::Unreachable(_))) => sleep(Duration::from_secs(1)).await,
            Ok(Err(InvokeError::Failed(reason))) => {
                return tracing::warn!(function, reason, "a scheduled invocation failed");
            }
            Err(_) => return tracing::warn!(function, "a scheduled invocation timed out"),
        }
    }
}

fn scheduled_event(function: &str, now: OffsetDateTime) -> String {
    let whole_second = now.replace_nanosecond(0).unwrap_or(now);
    json!({
        "version": "0",
        "id": uuid::Uuid::now_v7(),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT,
        "time": whole_second.format(&Rfc3339).unwrap_or_default(),
        "region": REGION,
        "resources": [format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{function}")],
        "detail": "{}",
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::event::eventbridge::EventBridgeEvent;

    use super::*;

    #[test]
    fn a_scheduled_event_parses_as_an_event_of_event_bridge() {
        let text = scheduled_event("relay-events", OffsetDateTime::UNIX_EPOCH);
        let event: EventBridgeEvent = serde_json::from_str(&text).unwrap();
        assert_eq!(event.detail_type, "Scheduled Event");
        assert_eq!(event.source, "aws.scheduler");
        assert!(text.contains("1970-01-01T00:00:00Z"));
    }
}
