//! The range of the time of creation, by which lists are filtered.

use time::OffsetDateTime;

query_parameters! {
    #![cfg(feature = "http")]
    /// The range of the time of creation.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct CreatedRange {
        /// Only those created at or after this time, RFC 3339
        pub created_since: Option<OffsetDateTime>,
        /// Only those created before this time, RFC 3339
        pub created_until: Option<OffsetDateTime>,
    }
}
