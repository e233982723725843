//! The filters of lists of impersonations.

use crate::{
    audit::ActorName,
    types::{TenantId, UserId},
};

query_parameters! {
    /// The filters of a list of impersonations; all must hold.
    #[derive(Debug, Clone, Default)]
    pub struct ImpersonationFilter {
        /// Only impersonations in this tenant
        pub tenant_id: Option<TenantId>,
        /// Only impersonations by this super-admin
        pub admin_id: Option<ActorName>,
        /// Only impersonations of this user
        pub user_id: Option<UserId>,
        /// Only impersonations that are live (`true`), or that are not (`false`)
        pub live: Option<bool>,
    }
}

impl crate::http::ListParameters for ImpersonationFilter {
    const LIST: &str = "impersonations";
    const TIME: &str = "started_at";
}
