//! When an invocation must end.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_runtime::Context;

/// Reserved at the end of an invocation for its response.
const RESPONSE_MARGIN: Duration = Duration::from_secs(1);

/// Reserved after a call that used all of its time, for reporting the timeout.
const REPORT_MARGIN: Duration = Duration::from_secs(1);

/// With less time than this, no further work is started.
const MINIMUM: Duration = Duration::from_secs(4);

/// When an invocation must end. Its response is not part of it.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of an invocation, less the time for its response. Where the runtime gives none, `default_timeout` applies:
    /// the local runtime sends 1970.
    pub fn of(context: &Context, default_timeout: Duration) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_millis(context.deadline).saturating_sub(now);
        Self::after(if left.is_zero() { default_timeout } else { left }.saturating_sub(RESPONSE_MARGIN))
    }

    /// The deadline after `time` from now.
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// The time left.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it is too late to start further work.
    pub fn is_near(self) -> bool {
        self.remaining() < MINIMUM
    }

    /// Bounds the timeout of a call, so that time is left for reporting that it timed out.
    #[must_use]
    pub fn cap(self, timeout: Duration) -> Duration {
        timeout.min(self.remaining().saturating_sub(REPORT_MARGIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT_TIMEOUT: Duration = Duration::from_secs(26);

    fn in_millis(from_now: u64) -> Context {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut context = Context::default();
        context.deadline = u64::try_from(now.as_millis()).unwrap() + from_now;
        context
    }

    #[test]
    fn a_deadline_of_1970_is_replaced_by_the_default() {
        assert!(Deadline::of(&Context::default(), DEFAULT_TIMEOUT).remaining() > Duration::from_secs(20));
    }

    #[test]
    fn a_second_is_reserved_for_the_response() {
        let left = Deadline::of(&in_millis(10_000), DEFAULT_TIMEOUT).remaining();
        assert!(left > Duration::from_secs(8) && left <= Duration::from_secs(9), "{left:?}");
    }

    #[test]
    fn a_deadline_is_near_when_little_time_is_left() {
        assert!(Deadline::of(&in_millis(3000), DEFAULT_TIMEOUT).is_near());
        assert!(!Deadline::of(&in_millis(30_000), DEFAULT_TIMEOUT).is_near());
    }
}
