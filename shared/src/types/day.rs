use std::fmt;

use serde::{Serialize, Serializer};
use time::{Date, Duration, OffsetDateTime, UtcOffset, macros::format_description};

use crate::types::InvalidValue;

/// A calendar day, UTC. In JSON: `2026-11-24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub Date);

impl Day {
    pub fn today() -> Self {
        Self::of(OffsetDateTime::now_utc())
    }

    /// The day that contains a moment.
    pub fn of(at: OffsetDateTime) -> Self {
        Self(at.to_offset(UtcOffset::UTC).date())
    }

    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || InvalidValue::format("must be a day such as 2026-11-24");
        // A year may have a sign for the parser.
        let text =
            Some(text).filter(|text| text.starts_with(|first: char| first.is_ascii_digit())).ok_or_else(invalid)?;
        Date::parse(text, format_description!("[year]-[month]-[day]")).map(Self).map_err(|_| invalid())
    }

    /// The day that is this number of days later, or earlier if it is negative.
    #[must_use]
    pub fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(Duration::days(days)))
    }

    /// The number of days from another day to this one.
    pub fn since(self, other: Self) -> i64 {
        (self.0 - other.0).whole_days()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

inline_schema!(Day, String { format: "date", example: "2026-11-24" });
inline_parameter!(Day, Day::parse);

impl Serialize for Day {
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
    fn a_day_begins_at_midnight_utc_in_every_time_zone() {
        let in_jakarta = datetime!(2026-12-01 06:59:59 +7);
        assert_eq!(Day::of(in_jakarta).to_string(), "2026-11-30");
        assert_eq!(Day::of(in_jakarta + Duration::SECOND).to_string(), "2026-12-01");
    }

    #[test]
    fn only_a_whole_date_is_a_day() {
        for bad in [
            "",
            "2026-1-2",
            "2026-02-30",
            "2026-11-24T00:00:00Z",
            "24.11.2026",
            "20261124",
            "+2026-11-24",
            " 2026-11-24",
        ] {
            assert!(Day::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_parsed_day_is_the_one_that_was_written(days in 0_i64..40_000) {
            let day = Day(date!(1990-01-01)).plus(days);
            prop_assert_eq!(Day::parse(&day.to_string()).unwrap(), day);
            prop_assert_eq!(day.since(Day(date!(1990-01-01))), days);
        }
    }
}
