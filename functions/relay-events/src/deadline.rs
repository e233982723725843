//! When a run has to be over.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_runtime::Context;

/// How long a run may take where Lambda does not say: the local runtime sends 1970 as the deadline.
const UNTOLD: Duration = Duration::from_secs(25);

/// What is left of an invocation for its answer.
const ANSWER: Duration = Duration::from_secs(1);

/// What is left of a run to say what went wrong, when a call has waited as long as it may.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// With less time than this, nothing new is begun.
const NEAR: Duration = Duration::from_secs(4);

/// When a run has to be over.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of an invocation, less what its answer takes.
    pub fn of(context: &Context) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_millis(context.deadline).saturating_sub(now);
        Self::after(if left.is_zero() { UNTOLD } else { left.saturating_sub(ANSWER) })
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
        time.min(self.remaining().saturating_sub(LAST_WORDS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_millis(from_now: u64) -> Context {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let mut context = Context::default();
        context.deadline = u64::try_from(now.as_millis()).unwrap() + from_now;
        context
    }

    #[test]
    fn a_deadline_of_1970_means_that_there_is_none() {
        assert!(Deadline::of(&Context::default()).remaining() > Duration::from_secs(20));
    }

    #[test]
    fn the_answer_has_time_of_its_own() {
        let left = Deadline::of(&in_millis(10_000)).remaining();
        assert!(left > Duration::from_secs(8) && left <= Duration::from_secs(9), "{left:?}");
    }

    #[test]
    fn little_time_is_near() {
        assert!(Deadline::of(&in_millis(3000)).is_near());
        assert!(!Deadline::of(&in_millis(30_000)).is_near());
    }
}
