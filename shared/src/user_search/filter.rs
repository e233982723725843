//! The filters of a search for users in all tenants.

use crate::{
    http::Required,
    types::{LongSearchText, Values},
    users::{UserRole, UserStatus},
};

query_parameters! {
    /// The filters of a search for users; all must hold.
    #[derive(Debug, Clone)]
    pub struct UserSearchFilter {
        /// Only users whose e-mail address or name contains this text, regardless of case
        pub search: Required<LongSearchText>,
        /// Only users with one of these roles, separated by commas
        pub role: Option<Values<UserRole>>,
        /// Only users with this status
        pub status: Option<UserStatus>,
    }
}

impl crate::http::ListParameters for UserSearchFilter {
    const LIST: &str = "found_users";
    const IS_COUNTED: bool = true;
}
