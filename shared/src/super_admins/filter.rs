//! The filters of lists of super-admins.

use crate::{
    super_admins::SuperAdminStatus,
    types::{CreatedRange, SuperAdminRole, Values},
};

query_parameters! {
    #![cfg(feature = "http")]
    /// The filters of a list of super-admins.
    #[derive(Debug, Clone, Default)]
    pub struct SuperAdminFilter {
        /// Only super-admins with one of these roles, separated by commas
        pub role: Option<Values<SuperAdminRole>>,
        /// Only this status
        pub status: Option<SuperAdminStatus>,
        pub created: CreatedRange,
    }
}

#[cfg(feature = "http")]
impl crate::http::ListParameters for SuperAdminFilter {
    const LIST: &str = "admins";
}
