//! `GET /api/super-admin/tenants/{id}/operations`: what was and is being done to a tenant, newest first.

use axum::{http::Uri, response::Response};
use shared::{
    http::{Page, Paging, QueryReader, Result, Routes, TenantPath},
    operations::{self, Operation},
    routes,
    super_admins::{AuthContext, MayRead},
    tenants,
    types::{Cursor, PageLimit},
};

/// The name of the list inside its cursors.
const LIST: &str = "operations";

/// The function's one route.
pub fn routes(gate: AuthContext) -> Routes {
    routes!(gate: AuthContext => list_tenant_operations)
}

/// List a tenant's operations
///
/// What was and is being done to the tenant's databases, newest first, with every step's state.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/{id}/operations",
    params(TenantPath, Paging),
    responses(
        (status = 200, description = "Array of operations with their steps, newest first", body = Vec<Operation>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
        (status = 404, description = "No such tenant"),
    ),
    security(("bearer" = []))
)]
async fn list_tenant_operations(
    reader: MayRead,
    TenantPath(id): TenantPath,
    mut query: QueryReader,
    uri: Uri,
) -> Result<Response> {
    let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
    let cursor = query.take("cursor", |text| Cursor::decode(text, LIST));
    query.finish()?;
    reader.admit(tenants::store::find(reader.client(), id)).await?;
    let operations = operations::store::list(reader.client(), id, cursor, limit).await?;
    let page = Page::new(LIST, &operations, limit, |operation: &Operation| Cursor {
        created_at: operation.created_at,
        id: operation.id.0,
    })?;
    Ok(page.into_response(&uri))
}
