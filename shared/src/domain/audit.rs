//! The audit log's own words.

use serde::Serialize;

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
