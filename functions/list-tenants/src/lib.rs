//! `GET /api/super-admin/tenants`: all tenants, newest first, a page at a time.

use axum::response::Response;
use shared::{
    http::{ListRequest, Result, Routes},
    routes,
    super_admins::{AuthContext, MayRead},
    tenants::{self, Tenant, TenantFilter},
    types::Cursor,
};

/// The function's one route.
pub fn routes(gate: AuthContext) -> Routes {
    routes!(gate: AuthContext => list_tenants)
}

/// List all tenant tenants
///
/// Every tenant, whatever its status, newest first. Deleted tenants are kept for the record.
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
