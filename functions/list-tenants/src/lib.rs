//! `GET /api/super-admin/tenants`: list all tenants, newest first, page by page.

use axum::response::Response;
use shared::{
    http::{ListRequest, Result, Routes},
    routes,
    super_admins::{AuthContext, MayRead},
    tenants::{self, Tenant, TenantFilter},
    types::Cursor,
};

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_tenants)
}

/// List all tenant organizations
///
/// Lists the tenants of every status, newest first, including deleted tenants.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants",
    params(ListRequest<TenantFilter>),
    responses(
        (status = 200, description = "Array of tenants, newest first", body = Vec<Tenant>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
    ),
    security(("bearer" = []))
)]
async fn list_tenants(reader: MayRead, request: ListRequest<TenantFilter>) -> Result<Response> {
    let list = tenants::store::list(reader.client(), &request.filter, request.cursor, request.limit);
    let tenants = reader.admit(list).await?;
    request.page(&tenants, |tenant| Cursor { created_at: tenant.created_at, id: tenant.id.0 })
}
