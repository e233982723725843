//! Ends of impersonations, and the denial of their tokens.

#[cfg(feature = "redis")]
pub mod deny_list;
pub mod store;

#[cfg(feature = "redis")]
pub use deny_list::{Denial, DenyList};

use serde::Serialize;
use time::OffsetDateTime;

use crate::types::{ImpersonationId, TenantId, UserId, timestamp};

keyword_enum!(
    /// Why an impersonation is not live any more.
    EndReason {
        /// An operator ended it.
        Ended = "ended",
        /// Its time is up.
        Expired = "expired",
        /// The tenant's own record of it could not be written: it never began.
        NotRecorded = "not_recorded",
        /// The agent was deactivated.
        UserDeactivated = "user_deactivated",
        /// The tenant was suspended, or is being deleted.
        TenantNotActive = "tenant_not_active",
        /// The operator was disabled.
        OperatorDisabled = "operator_disabled",
        /// The operator may no longer do what they could when it began.
        OperatorRoleChanged = "operator_role_changed",
    }
);

/// An impersonation that was just ended, as those who may have seen its token are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndedImpersonation {
    /// Which; the `sid` of its token.
    pub id: ImpersonationId,
    /// Of which tenant.
    pub tenant_id: TenantId,
    /// In whose name it was.
    pub user_id: UserId,
    /// Whose it was.
    pub admin_id: String,
    /// When its token expires.
    #[serde(serialize_with = "timestamp")]
    pub expires_at: OffsetDateTime,
    /// When it ended.
    #[serde(serialize_with = "timestamp")]
    pub ended_at: OffsetDateTime,
    /// Why.
    pub end_reason: EndReason,
    /// Whether a token may have been given.
    #[serde(skip)]
    pub had_begun: bool,
}
