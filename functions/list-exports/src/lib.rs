//! `GET /api/super-admin/tenants/{id}/exports`: list the exports of a tenant, newest first.

use axum::response::Response;
use shared::{
    exports::{self, Export, ExportFilter},
    http::{ListRequest, Result, Routes, TenantPath},
    routes,
    super_admins::{AuthContext, MayRead},
    tenants,
    types::Cursor,
};

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_exports)
}

/// List a tenant's exports
///
/// Newest first by default, also of a tenant that is deleted.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/{id}/exports",
    params(TenantPath, ListRequest<ExportFilter>),
    responses(
        (status = 200, description = "Array of exports", body = Vec<Export>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
        (status = 404, description = "No such tenant"),
    ),
    security(("bearer" = []))
)]
async fn list_exports(
    reader: MayRead,
    TenantPath(id): TenantPath,
    request: ListRequest<ExportFilter>,
) -> Result<Response> {
    reader.admit(tenants::store::find(reader.client(), id)).await?;
    let exports = exports::store::list(reader.client(), id, &request.filter, request.at).await?;
    request.page(&exports, |export| Cursor { created_at: export.created_at, id: export.id.0 })
}
