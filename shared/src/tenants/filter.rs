//! The filters of lists of tenants.

use crate::{
    tenants::TenantStatus,
    types::{Country, SearchText},
};

query_parameters! {
    #![cfg(feature = "http")]
    /// The filters of a list of tenants.
    #[derive(Debug, Clone, Default)]
    pub struct TenantFilter {
        /// Only tenants with this status
        pub status: Option<TenantStatus>,
        /// Only tenants in this country
        pub country: Option<Country>,
        /// Only tenants whose name or slug contains this text, without regard to case
        pub search: Option<SearchText>,
    }
}

#[cfg(feature = "http")]
impl crate::http::ListParameters for TenantFilter {
    const LIST: &str = "tenants";
}
