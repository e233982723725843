//! The state of a component: the status of two of its last three samples, so that a single outlier changes nothing.

use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    health::{Component, ComponentStatus},
    types::timestamp,
};

/// How many samples are considered, and how many of them must agree.
const SAMPLES: usize = 3;
const MAJORITY: usize = 2;

/// Samples from before a gap of this length are ignored.
const GAP: Duration = Duration::from_mins(10);

/// The state of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentState {
    pub status: ComponentStatus,
    pub since: OffsetDateTime,
    /// The statuses of the last samples, newest first, at most three.
    pub recent: Vec<ComponentStatus>,
    /// When the newest of them was taken.
    pub sampled_at: OffsetDateTime,
}

/// A change of a component's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ComponentChange {
    /// The component.
    pub component: Component,
    /// The time of the change.
    #[serde(serialize_with = "timestamp")]
    pub at: OffsetDateTime,
    /// The previous state.
    pub from: ComponentStatus,
    /// The new state.
    pub to: ComponentStatus,
    /// The problem; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(nullable = false))]
    pub error: Option<String>,
}

impl ComponentState {
    /// The state after a sample with the status `found`. The first sample determines the initial state. A sample that is not
    /// later than the previous ones changes nothing.
    #[must_use]
    pub fn after(previous: Option<&Self>, at: OffsetDateTime, found: ComponentStatus) -> Self {
        let Some(previous) = previous else {
            return Self { status: found, since: at, recent: vec![found], sampled_at: at };
        };
        if at <= previous.sampled_at {
            return previous.clone();
        }
        let earlier: &[_] = if at - previous.sampled_at <= GAP { &previous.recent } else { &[] };
        let recent: Vec<_> = [found].iter().chain(earlier).take(SAMPLES).copied().collect();
        let agreeing = recent.iter().filter(|status| **status == found).count();
        let changes = found != previous.status && agreeing >= MAJORITY;
        let (status, since) = if changes { (found, at) } else { (previous.status, previous.since) };
        Self { status, since, recent, sampled_at: at }
    }
}

#[cfg(test)]
mod tests {
    use ComponentStatus::{Degraded, Down, Up};

    use super::*;

    fn minute(number: u64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::from_mins(number)
    }

    /// The statuses after each of some samples, one a minute.
    fn walk(samples: &[ComponentStatus]) -> Vec<ComponentStatus> {
        let mut state = None;
        let step = |(number, found): (u64, &ComponentStatus)| {
            let next = ComponentState::after(state.as_ref(), minute(number), *found);
            state = Some(next.clone());
            next.status
        };
        (0..).zip(samples).map(step).collect()
    }

    #[test]
    fn one_outlier_does_not_change_the_state() {
        assert_eq!(walk(&[Up, Up, Down, Up, Up, Degraded, Up]), [Up; 7]);
    }

    #[test]
    fn any_two_of_three_samples_change_the_state() {
        assert_eq!(walk(&[Up, Up, Down, Down, Down]), [Up, Up, Up, Down, Down]);
        assert_eq!(walk(&[Up, Down, Up, Down, Up, Down]), [Up, Up, Up, Down, Up, Down]);
        assert_eq!(walk(&[Down, Up, Up]), [Down, Down, Up]);
    }

    #[test]
    fn three_different_samples_do_not_change_the_state() {
        assert_eq!(walk(&[Up, Up, Down, Degraded, Up]), [Up, Up, Up, Up, Up]);
    }

    #[test]
    fn samples_from_before_a_gap_are_ignored() {
        let first = ComponentState::after(None, minute(0), Up);
        let second = ComponentState::after(Some(&first), minute(1), Down);
        let third = ComponentState::after(Some(&second), minute(300), Down);
        assert_eq!((third.status, third.recent.as_slice()), (Up, [Down].as_slice()));
        assert_eq!(ComponentState::after(Some(&third), minute(301), Down).status, Down);
    }

    #[test]
    fn a_late_sample_does_not_change_the_state() {
        let first = ComponentState::after(None, minute(5), Up);
        let second = ComponentState::after(Some(&first), minute(6), Down);
        for late in [5, 6] {
            assert_eq!(ComponentState::after(Some(&second), minute(late), Down), second);
        }
    }
}
