//! The filters of lists of reconciliations.

use crate::types::CreatedRange;

query_parameters! {
    #![cfg(feature = "http")]
    /// The filters of a list of reconciliations; all must hold.
    #[derive(Debug, Clone, Default)]
    pub struct ReconciliationFilter {
        /// Only reconciliations that repair nothing, or only those that do
        pub dry_run: Option<bool>,
        pub created: CreatedRange,
    }
}

#[cfg(feature = "http")]
impl crate::http::ListParameters for ReconciliationFilter {
    const LIST: &str = "reconciliations";
    const IS_COUNTED: bool = true;
}
