//! The audit log's own words.

use std::str::FromStr;

use serde::Serialize;

use super::InvalidValue;

word!(
    /// How far something got that is in the audit log.
    AuditOutcome {
        /// It is about to be done; another entry tells whether it was.
        Intended = "intended",
        /// It was done.
        Done = "done",
        /// It was tried, and was not done.
        Failed = "failed",
        /// Whoever wanted it may not.
        Refused = "refused",
    }
);

impl FromStr for AuditOutcome {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::from_text(text).ok_or_else(|| InvalidValue::new("must be one of intended, done, failed, refused"))
    }
}
