//! The filters of lists of super-admins.

use crate::{super_admins::SuperAdminStatus, types::SuperAdminRole};

query_parameters! {
    #![cfg(feature = "http")]
    /// The filters of a list of super-admins.
    #[derive(Debug, Clone, Default)]
    pub struct SuperAdminFilter {
        /// Only this role
        pub role: Option<SuperAdminRole>,
        /// Only this status
        pub status: Option<SuperAdminStatus>,
    }
}

#[cfg(feature = "http")]
impl crate::http::ListParameters for SuperAdminFilter {
    const LIST: &str = "admins";
}
