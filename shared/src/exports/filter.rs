//! The filters of lists of exports.

use crate::types::CreatedRange;

query_parameters! {
    #![cfg(feature = "http")]
    /// The filters of a list of exports; all must hold.
    #[derive(Debug, Clone, Default)]
    pub struct ExportFilter {
        pub created: CreatedRange,
    }
}

#[cfg(feature = "http")]
impl crate::http::ListParameters for ExportFilter {
    const LIST: &str = "exports";
}
