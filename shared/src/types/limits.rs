//! Resource limits of a tenant.

use serde::Serialize;

use crate::types::InvalidValue;

/// How many of something a tenant may have: 0 or more, at most 10^12, or unlimited (`None`).
pub type Limit = Option<i64>;

/// Resource limits; `null` is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Limits {
    /// Agents that are not deactivated.
    #[cfg_attr(feature = "http", schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64, required = true, example = 25))]
    pub max_agents: Limit,
    /// Contacts.
    #[cfg_attr(
        feature = "http",
        schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64, required = true, example = 10_000)
    )]
    pub max_contacts: Limit,
    /// Messages in a calendar month, UTC.
    #[cfg_attr(
        feature = "http",
        schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64, required = true, example = 50_000)
    )]
    pub max_messages_month: Limit,
}

/// The greatest finite limit. Beyond it people mean "unlimited", and other languages lose digits.
const MAX: i64 = 1_000_000_000_000;

/// Validates a finite limit.
pub fn parse_limit(number: i64) -> Result<i64, InvalidValue> {
    if (0..=MAX).contains(&number) {
        Ok(number)
    } else {
        Err(InvalidValue::new(format!("must be an integer from 0 to {MAX}, or null for unlimited")))
    }
}

/// Limits of which some are left as they are: the outer `None` is "not said", the inner one "unlimited".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitsPatch {
    /// See [`Limits::max_agents`].
    pub max_agents: Option<Limit>,
    /// See [`Limits::max_contacts`].
    pub max_contacts: Option<Limit>,
    /// See [`Limits::max_messages_month`].
    pub max_messages_month: Option<Limit>,
}

impl LimitsPatch {
    /// `base`, with what the patch says in its place.
    pub fn apply(self, base: Limits) -> Limits {
        Limits {
            max_agents: self.max_agents.unwrap_or(base.max_agents),
            max_contacts: self.max_contacts.unwrap_or(base.max_contacts),
            max_messages_month: self.max_messages_month.unwrap_or(base.max_messages_month),
        }
    }
}
