use std::fmt;

use serde::{Serialize, Serializer};
use time::{Date, Duration, OffsetDateTime, UtcOffset};

/// A calendar month, UTC. In JSON: `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    first: Date,
}

impl Month {
    /// The current month.
    pub fn current() -> Self {
        Self::of(OffsetDateTime::now_utc())
    }

    /// The month that contains a moment.
    pub fn of(at: OffsetDateTime) -> Self {
        Self::with(at.to_offset(UtcOffset::UTC).date())
    }

    /// The month that contains a day.
    pub fn with(day: Date) -> Self {
        Self { first: day.replace_day(1).unwrap_or(day) }
    }

    pub fn first_day(self) -> Date {
        self.first
    }

    /// The first moment of the month, which is the end of the previous one.
    pub fn begin(self) -> OffsetDateTime {
        self.first.midnight().assume_utc()
    }

    #[must_use]
    pub fn next(self) -> Self {
        Self::with(self.first.saturating_add(Duration::days(31)))
    }

    #[must_use]
    pub fn previous(self) -> Self {
        Self::with(self.first.saturating_sub(Duration::days(1)))
    }

    /// `202611`, as in the keys of counters.
    pub fn digits(self) -> String {
        format!("{:04}{:02}", self.first.year(), u8::from(self.first.month()))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first.year(), u8::from(self.first.month()))
    }
}

inline_schema!(Month, String { pattern: "^[0-9]{4}-[0-9]{2}$", example: "2026-11" });

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn a_month_begins_at_midnight_utc_in_every_time_zone() {
        let in_jakarta = datetime!(2026-12-01 06:59:59 +7);
        assert_eq!(Month::of(in_jakarta).to_string(), "2026-11");
        assert_eq!(Month::of(in_jakarta + Duration::SECOND).to_string(), "2026-12");
        assert_eq!(Month::of(in_jakarta).next().begin(), datetime!(2026-12-01 0:00 UTC));
        assert_eq!(Month::of(in_jakarta).digits(), "202611");
        assert_eq!(serde_json::to_string(&Month::of(in_jakarta)).unwrap(), "\"2026-11\"");
    }

    proptest! {
        #[test]
        fn the_next_month_begins_when_this_one_ends(day in 0_i64..40_000) {
            let month = Month::with(date!(1990-01-01) + Duration::days(day));
            let length = (month.next().first_day() - month.first_day()).whole_days();
            prop_assert!((28..=31).contains(&length));
            prop_assert_eq!(month.next().previous(), month);
            prop_assert!(month < month.next());
        }
    }
}
