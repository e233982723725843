//! Revocations: impersonations end before their tokens expire, because a super-admin ended one, or because its user, its
//! tenant or its super-admin changed.
//!
//! The use cases ([`end_one`], [`end_of_user`], [`end_of_tenant`], [`end_of_super_admin`]) run in the transaction of the
//! change that causes them. After its commit the caller passes what they returned to `live_list::LiveList::deny`, and pokes the
//! relay. The relay keeps the live list as the platform database is (`reassert`).

mod end;
#[cfg(feature = "redis")]
pub mod live_list;
#[cfg(feature = "redis")]
pub mod reassert;
pub mod store;

pub(crate) use end::record_before_begin;
pub use end::{end_of_super_admin, end_of_tenant, end_of_user, end_one};

use serde::Serialize;
use time::OffsetDateTime;

use uuid::Uuid;

use crate::types::{ImpersonationId, TenantId, TraceId, UserId, timestamp};

keyword_enum!(
    /// Why an impersonation is no longer live.
    EndReason {
        /// A super-admin ended it.
        Ended = "ended",
        /// Its time was up.
        Expired = "expired",
        /// The tenant's own record could not be written, so it never began.
        NotRecorded = "not_recorded",
        /// The user was deactivated.
        UserDeactivated = "user_deactivated",
        /// The tenant was suspended, or is being deleted.
        TenantNotActive = "tenant_not_active",
        /// The super-admin was disabled.
        OperatorDisabled = "operator_disabled",
        /// The super-admin lost rights that they had when it began.
        OperatorRoleChanged = "operator_role_changed",
        /// The account of the super-admin was recovered by the operator of the deployment.
        OperatorRecovered = "operator_recovered",
    }
);

/// An impersonation that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct EndedImpersonation {
    /// Id; the `sid` of its token.
    pub id: ImpersonationId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The user who was impersonated.
    pub user_id: UserId,
    /// The super-admin who acted as the user: their id, or their subject at the identity provider.
    pub admin_id: String,
    /// When its token expires.
    #[serde(serialize_with = "timestamp")]
    pub expires_at: OffsetDateTime,
    /// When it ended.
    #[serde(serialize_with = "timestamp")]
    pub ended_at: OffsetDateTime,
    /// Why it ended.
    pub end_reason: EndReason,
    /// Whether a token may have been issued. Only then do other services hear of the end.
    #[serde(skip)]
    pub had_begun: bool,
}

/// An impersonation that has ended in the platform database, and whose record in the tenant's database does not show it yet.
#[derive(Debug, Clone)]
pub struct ImpersonationEnd {
    /// The open change.
    pub id: Uuid,
    pub tenant_id: TenantId,
    pub impersonation_id: ImpersonationId,
    pub ended_at: OffsetDateTime,
    /// That of the request which ended it.
    pub trace_id: TraceId,
}
