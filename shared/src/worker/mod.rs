//! An invocation of a worker: who called it, and when it has to be over.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_runtime::Context;
use serde_json::Value;

/// Who called a worker that has a queue and a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Messages of the queue.
    Queue,
    /// The schedule, or someone by hand.
    Schedule,
}

impl Trigger {
    /// Tells it by the event.
    pub fn of(payload: &Value) -> Self {
        if payload.get("Records").is_some_and(Value::is_array) { Self::Queue } else { Self::Schedule }
    }
}

/// What is left of an invocation for its answer.
const ANSWER: Duration = Duration::from_secs(1);

/// What is left of a run to say what went wrong, when a call has waited as long as it may.
const REPORT_MARGIN: Duration = Duration::from_secs(1);

/// With less time than this, nothing new is begun.
const NEAR: Duration = Duration::from_secs(4);

/// When a run has to be over.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of an invocation, less what its answer takes. Where Lambda does not say, as the local runtime, which
    /// sends 1970, it may take `default_timeout`.
    pub fn of(context: &Context, default_timeout: Duration) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_millis(context.deadline).saturating_sub(now);
        Self::after(if left.is_zero() { default_timeout } else { left }.saturating_sub(ANSWER))
    }

    /// This much from now.
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// What is left.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it is too late to begin anything.
    pub fn is_near(self) -> bool {
        self.remaining() < NEAR
    }

    /// How long a call may take that would be given this much: never all that is left.
    #[must_use]
    pub fn cap(self, time: Duration) -> Duration {
        time.min(self.remaining().saturating_sub(REPORT_MARGIN))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DEFAULT_TIMEOUT: Duration = Duration::from_secs(26);

    #[test]
    fn what_brings_no_records_is_the_schedule() {
        assert_eq!(Trigger::of(&json!({ "Records": [] })), Trigger::Queue);
        for schedule in [json!({ "source": "aws.scheduler" }), json!({}), json!(null), json!({ "Records": 1 })] {
            assert_eq!(Trigger::of(&schedule), Trigger::Schedule, "{schedule}");
        }
    }

    fn in_millis(from_now: u64) -> Context {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut context = Context::default();
        context.deadline = u64::try_from(now.as_millis()).unwrap() + from_now;
        context
    }

    #[test]
    fn a_deadline_of_1970_means_that_there_is_none() {
        assert!(Deadline::of(&Context::default(), DEFAULT_TIMEOUT).remaining() > Duration::from_secs(20));
    }

    #[test]
    fn the_answer_has_time_of_its_own() {
        let left = Deadline::of(&in_millis(10_000), DEFAULT_TIMEOUT).remaining();
        assert!(left > Duration::from_secs(8) && left <= Duration::from_secs(9), "{left:?}");
    }

    #[test]
    fn little_time_is_near() {
        assert!(Deadline::of(&in_millis(3000), DEFAULT_TIMEOUT).is_near());
        assert!(!Deadline::of(&in_millis(30_000), DEFAULT_TIMEOUT).is_near());
    }
}
