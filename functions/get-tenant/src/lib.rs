//! `GET /api/super-admin/tenants/{id}`: one tenant organization.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use shared::{
    error::Error,
    http::{Result, Routes, TenantPath, etag},
    routes,
    super_admins::{AuthContext, MayRead},
    tenants::{self, Tenant},
};

/// The function's one route.
pub fn routes(gate: AuthContext) -> Routes {
    routes!(gate: AuthContext => get_tenant)
}

/// Get a tenant organization
///
/// Its entity tag names the revision, for `If-Match` of a change.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/{id}",
    params(TenantPath),
    responses(
        (status = 200, description = "Organization details", body = Tenant,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such tenant"),
    ),
    security(("bearer" = []))
)]
async fn get_tenant(reader: MayRead, TenantPath(id): TenantPath) -> Result<Response> {
    let tenant = reader
        .admit_with_state(|client, caller| tenants::store::find_with_super_admin_state(client, caller, id))
        .await?;
    let body = serde_json::to_vec(&tenant).map_err(Error::internal)?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json), (header::ETAG, etag(tenant.revision))], body).into_response())
}
