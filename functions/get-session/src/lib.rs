//! `GET /api/super-admin/auth/session`: whose token the caller has, and what it may do now.

use serde::Serialize;
use shared::{
    http::{Json, Routes},
    routes,
    super_admins::{AnySuperAdmin, AuthContext, Principal},
    types::SuperAdminRole,
};
use utoipa::ToSchema;

/// The function's one route.
pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => get_session)
}

/// The super-admin whose token the request has.
#[derive(Debug, Serialize, ToSchema)]
struct SessionResponse {
    /// Id (UUIDv7), or the subject at the identity provider if the platform has no account of the super-admin. As in the audit log.
    #[schema(max_length = 255, example = "0190a0c4-8f6e-7c3a-9d2b-000000000001")]
    id: String,
    /// E-mail address of the account; `null` if the platform has none.
    #[schema(required = true, max_length = 254, example = "ada@landlord.example")]
    email: Option<String>,
    /// Current role.
    role: SuperAdminRole,
    /// How the super-admin signed in.
    signed_in_with: SignInMethod,
}

/// How a super-admin signs in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SignInMethod {
    /// With a password of this API. The session can be refreshed.
    Password,
    /// At the platform's identity provider, whose token lasts as long as it states.
    IdentityProvider,
}

impl From<Principal> for SessionResponse {
    fn from(principal: Principal) -> Self {
        let signed_in_with = match principal.session {
            Some(_) => SignInMethod::Password,
            None => SignInMethod::IdentityProvider,
        };
        Self { id: principal.id, email: principal.email, role: principal.role, signed_in_with }
    }
}

/// Get the caller's session
///
/// Whose token the request has. The role is the current one: it comes from the account, else from the token of the identity provider, else from
/// the configuration.
#[utoipa::path(
    get,
    path = "/api/super-admin/auth/session",
    responses((status = 200, description = "The session", body = SessionResponse)),
    security(("bearer" = []))
)]
async fn get_session(AnySuperAdmin(principal): AnySuperAdmin) -> Json<SessionResponse> {
    Json(principal.into())
}
