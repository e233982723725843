//! What comes in, and what goes out.

use deserr::Deserr;
use serde::Serialize;
use serde_json::{Value, json};
use shared::{
    http::{BodyErrors, Field},
    impersonations::{Access, Impersonation, ImpersonationMinutes, Reason, Ticket},
    types::{ImpersonationId, TenantId, UserId, timestamp},
    users::{User, UserRole},
};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// In whose name, why, and for how long.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
pub(crate) struct ImpersonationRequest {
    /// The tenant; it has to be active.
    pub(crate) tenant_id: TenantId,
    /// A user of it who is not deactivated.
    pub(crate) user_id: UserId,
    /// Why; one visible line, which the tenant reads too.
    pub(crate) reason: Reason,
    /// The case in the help desk.
    #[deserr(default)]
    pub(crate) ticket: Field<Ticket>,
    /// How long the token lasts.
    #[deserr(default)]
    pub(crate) duration_minutes: Field<ImpersonationMinutes>,
    /// What may be done; `write` takes the role `owner`.
    #[deserr(default)]
    #[schema(default = "read")]
    pub(crate) access: Field<Access>,
}

impl ImpersonationRequest {
    /// What may be done.
    pub(crate) fn access(&self) -> Access {
        self.access.0.unwrap_or(Access::Read)
    }

    /// What the audit log keeps of a request that was refused.
    pub(crate) fn shown(&self) -> Value {
        json!({
            "user_id": self.user_id,
            "access": self.access(),
            "reason": self.reason.as_str(),
            "ticket": self.ticket.0.as_ref().map(Ticket::as_str),
        })
    }
}

/// An impersonation that is live, and its token.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImpersonationResponse {
    /// Id (UUIDv7); the `sid` of the token.
    id: ImpersonationId,
    /// A JWT for the platform's services.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) token: String,
    /// When the token expires.
    #[serde(serialize_with = "timestamp")]
    expires_at: OffsetDateTime,
    /// The tenant.
    tenant_id: TenantId,
    /// What may be done.
    access: Access,
    /// In whose name.
    user: ImpersonatedUser,
}

/// The user in whose name is acted.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct ImpersonatedUser {
    /// Id; the `sub` of the token.
    id: UserId,
    /// E-mail address.
    #[schema(example = "sari@kopikenangan.example")]
    email: String,
    /// Name that people read.
    #[schema(example = "Sari Wulandari")]
    full_name: String,
    /// What they are to the tenant.
    role: UserRole,
}

impl ImpersonationResponse {
    /// Of an impersonation, without its token.
    pub(crate) fn of(impersonation: &Impersonation, user: &User) -> Self {
        Self {
            id: impersonation.id,
            token: String::new(),
            expires_at: impersonation.expires_at,
            tenant_id: impersonation.tenant_id,
            access: impersonation.access,
            user: ImpersonatedUser {
                id: user.id,
                email: user.email.clone(),
                full_name: user.full_name.clone(),
                role: user.role,
            },
        }
    }
}
