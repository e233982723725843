//! The filters of lists of tenants with their usage.

use crate::tenants::TenantFilter;

query_parameters! {
    #![cfg(feature = "http")]
    /// Which tenants a list contains.
    #[derive(Debug, Clone, Default)]
    pub struct UsageFilter {
        pub tenants: TenantFilter,
        /// `true`: only tenants that exceed a limit; `false`: only the others
        pub over_limit: Option<bool>,
    }
}
