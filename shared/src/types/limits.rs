//! Resource limits of a tenant.

use serde::{Deserialize, Serialize};

use crate::types::{FaultCode, InvalidValue};

/// The number of something that a tenant may have; `None` is unlimited.
pub type Limit = Option<i64>;

/// Resource limits; `null` is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Limits {
    /// Active users.
    #[cfg_attr(feature = "http", schema(minimum = 0, maximum = 1_000_000_000_000_i64, required = true, example = 25))]
    pub max_agents: Option<i64>,
    /// Contacts.
    #[cfg_attr(
        feature = "http",
        schema(minimum = 0, maximum = 1_000_000_000_000_i64, required = true, example = 10_000)
    )]
    pub max_contacts: Option<i64>,
    /// Messages in a calendar month in UTC.
    #[cfg_attr(
        feature = "http",
        schema(minimum = 0, maximum = 1_000_000_000_000_i64, required = true, example = 50_000)
    )]
    pub max_messages_month: Option<i64>,
}

/// The greatest finite limit. A greater one is meant as "unlimited", and loses digits in some languages.
pub const MAX_LIMIT: i64 = 1_000_000_000_000;

pub fn parse_limit(number: i64) -> Result<i64, InvalidValue> {
    if (0..=MAX_LIMIT).contains(&number) {
        Ok(number)
    } else {
        Err(InvalidValue::new(
            FaultCode::OutOfRange,
            format!("must be an integer from 0 to {MAX_LIMIT}, or null for unlimited"),
        ))
    }
}

/// A change of limits. The outer `None` leaves a limit unchanged; the inner `None` means unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitsPatch {
    pub max_agents: Option<Option<i64>>,
    pub max_contacts: Option<Option<i64>>,
    pub max_messages_month: Option<Option<i64>>,
}

impl LimitsPatch {
    /// `base` with the limits of the patch.
    pub fn apply(self, base: Limits) -> Limits {
        Limits {
            max_agents: self.max_agents.unwrap_or(base.max_agents),
            max_contacts: self.max_contacts.unwrap_or(base.max_contacts),
            max_messages_month: self.max_messages_month.unwrap_or(base.max_messages_month),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_that_no_language_rounds() {
        for good in [0, 1, 25, MAX_LIMIT] {
            assert_eq!(parse_limit(good).unwrap(), good);
        }
        for bad in [-1, i64::MIN, MAX_LIMIT + 1] {
            assert!(parse_limit(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_patch_changes_the_limits_that_it_contains() {
        let base = Limits { max_agents: Some(1), max_contacts: Some(2), max_messages_month: None };
        assert_eq!(LimitsPatch::default().apply(base), base);
        let patch = LimitsPatch { max_agents: Some(None), max_contacts: None, max_messages_month: Some(Some(3)) };
        let changed = Limits { max_agents: None, max_contacts: Some(2), max_messages_month: Some(3) };
        assert_eq!(patch.apply(base), changed);
    }
}
