//! The bodies of request and response.

use deserr::Deserr;
use serde::Serialize;
use serde_json::Value;
use shared::{
    error::{Error, Result},
    http::{BASE_PATH, BodyErrors, Created, Field, Replayable},
    impersonations::{Impersonation, ImpersonationMinutes, StartImpersonation, Ticket},
    super_admins::Principal,
    types::{Access, ImpersonationId, Reason, TenantId, UserId, timestamp},
    users::{User, UserRole},
};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// The user to impersonate, the reason, and the duration.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
pub(crate) struct ImpersonationRequest {
    /// The tenant. It must be active.
    tenant_id: TenantId,
    /// The user of the tenant. They must be active.
    user_id: UserId,
    /// Why the super-admin impersonates the user, in one visible line. The tenant can read it.
    reason: Reason,
    /// The case in the help desk.
    #[deserr(default)]
    ticket: Field<Ticket>,
    /// How long the token is valid, in minutes.
    #[deserr(default)]
    duration_minutes: Field<ImpersonationMinutes>,
    /// What the super-admin may do as the user. `write` needs the role `owner`.
    #[deserr(default)]
    #[schema(default = "read")]
    access: Field<Access>,
}

impl ImpersonationRequest {
    pub(crate) fn command<'a>(&'a self, admin: &'a Principal) -> StartImpersonation<'a> {
        StartImpersonation {
            actor: admin.actor(),
            role: admin.role,
            admin_email: admin.email.as_deref(),
            tenant_id: self.tenant_id,
            user_id: self.user_id,
            access: self.access.0.unwrap_or(Access::Read),
            reason: &self.reason,
            ticket: self.ticket.0.as_ref(),
            minutes: self.duration_minutes.0.unwrap_or_default(),
        }
    }
}

/// A live impersonation, and its token.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImpersonationResponse {
    /// Id (UUIDv7); the `sid` of the token.
    id: ImpersonationId,
    /// A JWT for the platform's services.
    #[schema(value_type = String, required = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// When the token expires.
    #[serde(serialize_with = "timestamp")]
    expires_at: OffsetDateTime,
    /// The tenant.
    tenant_id: TenantId,
    /// What the super-admin may do as the user.
    access: Access,
    /// The impersonated user.
    user: ImpersonatedUser,
}

/// The user who is impersonated.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct ImpersonatedUser {
    /// Id; the `sub` of the token.
    id: UserId,
    /// E-mail address.
    #[schema(example = "sari@kopikenangan.example")]
    email: String,
    /// Display name.
    #[schema(example = "Sari Wulandari")]
    full_name: String,
    /// Role in the tenant.
    role: UserRole,
}

/// The response about an impersonation. Without a token it can be stored.
pub(crate) fn created(
    impersonation: &Impersonation,
    user: &User,
    token: Option<String>,
) -> Created<ImpersonationResponse> {
    let body = ImpersonationResponse {
        id: impersonation.id,
        token,
        expires_at: impersonation.expires_at,
        tenant_id: impersonation.tenant_id,
        access: impersonation.access,
        user: ImpersonatedUser {
            id: user.id,
            email: user.email.clone(),
            full_name: user.full_name.clone(),
            role: user.role,
        },
    };
    Created { location: Some(format!("{BASE_PATH}/impersonations/{}", body.id)), revision: None, body }
}

/// The id of the impersonation in a stored response.
pub(crate) fn stored_id(stored: &Replayable) -> Result<ImpersonationId> {
    let body: Value = serde_json::from_str(&stored.body).map_err(Error::internal)?;
    let id = body["id"].as_str().and_then(|id| id.parse().ok());
    id.ok_or_else(|| Error::internal("a stored response contains no impersonation id"))
}

/// A stored response with its token.
pub(crate) fn with_token(mut stored: Replayable, token: String) -> Result<Replayable> {
    let mut body: Value = serde_json::from_str(&stored.body).map_err(Error::internal)?;
    body["token"] = token.into();
    stored.body = body.to_string();
    Ok(stored)
}
