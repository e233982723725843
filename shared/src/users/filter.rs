//! The filters of lists of users.

use crate::{
    types::{CreatedRange, SearchText, Values},
    users::{UserRole, UserStatus},
};

query_parameters! {
    /// The filters of a list of users; all must hold.
    #[derive(Debug, Clone, Default)]
    pub struct UserFilter {
        /// Only users whose e-mail address or name contains this text, regardless of case
        pub search: Option<SearchText>,
        /// Only users with one of these roles, separated by commas
        pub role: Option<Values<UserRole>>,
        /// Only users with this status
        pub status: Option<UserStatus>,
        /// Only users who are online (`true`), or who are not (`false`)
        pub is_online: Option<bool>,
        pub created: CreatedRange,
    }
}

impl crate::http::ListParameters for UserFilter {
    const LIST: &str = "users";
    const IS_COUNTED: bool = true;
}
