//! `GET /api/super-admin/tenants/{id}`: get one tenant.

use shared::{
    http::{Result, Routes, Tagged, TenantPath},
    routes,
    super_admins::{AuthContext, MayRead},
    tenants::{self, Tenant},
};

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => get_tenant)
}

/// Get a tenant organization
///
/// The entity tag contains the revision, for the header `If-Match` of a later change.
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
async fn get_tenant(reader: MayRead, TenantPath(id): TenantPath) -> Result<Tagged<Tenant>> {
    let tenant = reader
        .admit_with_state(|client, caller| tenants::store::find_with_super_admin_state(client, caller, id))
        .await?;
    let revision = tenant.revision;
    Ok(Tagged(tenant, revision))
}
