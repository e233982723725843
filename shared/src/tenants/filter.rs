//! The filters of lists of tenants.

use crate::{
    tenants::TenantStatus,
    types::{Country, CreatedRange, SearchText, Values},
};

query_parameters! {
    #![cfg(feature = "http")]
    /// The filters of a list of tenants.
    #[derive(Debug, Clone, Default)]
    pub struct TenantFilter {
        /// Only tenants with one of these statuses, separated by commas
        pub status: Option<Values<TenantStatus>>,
        /// Only tenants in one of these countries, separated by commas
        pub country: Option<Values<Country>>,
        /// Only tenants whose name or slug contains this text, without regard to case
        pub search: Option<SearchText>,
        pub created: CreatedRange,
    }
}
