//! Where a component stands: what two of its last three samples say, so that one that is off changes nothing.

use std::time::Duration;

use time::OffsetDateTime;

use crate::health::{
    Condition,
    store::{Sample, State},
};

/// How many samples are looked at, and how many of them decide.
const SAMPLES: usize = 3;
const MAJORITY: usize = 2;

/// Samples from before a gap as long as this say nothing of what comes after it.
const GAP: Duration = Duration::from_mins(10);

/// Where a component stands after a sample. The first one says where it stands to begin with. One that is not later than
/// those before changes nothing.
pub(super) fn after(before: Option<&State>, at: OffsetDateTime, sample: &Sample) -> State {
    let found = sample.condition;
    let Some(before) = before else {
        return State { condition: found, since: at, recent: vec![found], sampled_at: at };
    };
    if at <= before.sampled_at {
        return before.clone();
    }
    let earlier: &[_] = if at - before.sampled_at <= GAP { &before.recent } else { &[] };
    let recent: Vec<Condition> = [found].iter().chain(earlier).take(SAMPLES).copied().collect();
    let agreeing = recent.iter().filter(|condition| **condition == found).count();
    let changes = found != before.condition && agreeing >= MAJORITY;
    let (condition, since) = if changes { (found, at) } else { (before.condition, before.since) };
    State { condition, since, recent, sampled_at: at }
}

#[cfg(test)]
mod tests {
    use Condition::{Degraded, Down, Up};

    use super::*;
    use crate::health::Component;

    fn sample(condition: Condition) -> Sample {
        Sample { component: Component::Redis, condition, latency_ms: None, error: None }
    }

    fn minute(number: u64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::from_mins(number)
    }

    /// Where it stands after each of some samples, one a minute.
    fn walk(conditions: &[Condition]) -> Vec<Condition> {
        let mut state = None;
        let step = |(number, condition): (u64, &Condition)| {
            let next = after(state.as_ref(), minute(number), &sample(*condition));
            state = Some(next.clone());
            next.condition
        };
        (0..).zip(conditions).map(step).collect()
    }

    #[test]
    fn one_sample_that_is_off_changes_nothing() {
        assert_eq!(walk(&[Up, Up, Down, Up, Up, Degraded, Up]), [Up; 7]);
    }

    #[test]
    fn two_of_three_change_it_whichever_they_are() {
        assert_eq!(walk(&[Up, Up, Down, Down, Down]), [Up, Up, Up, Down, Down]);
        assert_eq!(walk(&[Up, Down, Up, Down, Up, Down]), [Up, Up, Up, Down, Up, Down]);
        assert_eq!(walk(&[Down, Up, Up]), [Down, Down, Up]);
    }

    #[test]
    fn three_that_differ_change_nothing() {
        assert_eq!(walk(&[Up, Up, Down, Degraded, Up]), [Up, Up, Up, Up, Up]);
    }

    #[test]
    fn samples_from_before_a_gap_do_not_count() {
        let first = after(None, minute(0), &sample(Up));
        let second = after(Some(&first), minute(1), &sample(Down));
        let third = after(Some(&second), minute(300), &sample(Down));
        assert_eq!((third.condition, third.recent.as_slice()), (Up, [Down].as_slice()));
        assert_eq!(after(Some(&third), minute(301), &sample(Down)).condition, Down);
    }

    #[test]
    fn a_sample_that_comes_late_changes_nothing() {
        let first = after(None, minute(5), &sample(Up));
        let second = after(Some(&first), minute(6), &sample(Down));
        for late in [5, 6] {
            assert_eq!(after(Some(&second), minute(late), &sample(Down)), second);
        }
    }
}
