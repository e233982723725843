use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    error::Result,
    events::EventType,
    impersonations::Impersonation,
    tenant_changes::ChangeEvent,
    types::{Access, ImpersonationId, TenantId, UserId, timestamp},
};

/// An impersonation that has begun.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct LiveImpersonation<'a> {
    /// Id; the `sid` of its token.
    pub id: ImpersonationId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The impersonated user.
    pub user_id: UserId,
    /// The super-admin who acts as the user: their id, or their subject at the identity provider.
    pub admin_id: &'a str,
    /// What the super-admin may do as the user.
    pub access: Access,
    /// When it was requested.
    #[serde(serialize_with = "timestamp")]
    pub started_at: OffsetDateTime,
    /// When it ends by itself.
    #[serde(serialize_with = "timestamp")]
    pub expires_at: OffsetDateTime,
}

/// An impersonation is live: services may receive its token from now on.
pub fn started(impersonation: &Impersonation) -> Result<ChangeEvent> {
    let data = LiveImpersonation {
        id: impersonation.id,
        tenant_id: impersonation.tenant_id,
        user_id: impersonation.user_id,
        admin_id: &impersonation.admin_id,
        access: impersonation.access,
        started_at: impersonation.started_at,
        expires_at: impersonation.expires_at,
    };
    ChangeEvent::new(EventType::ImpersonationStarted, data)
}
