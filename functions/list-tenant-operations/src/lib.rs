//! `GET /api/super-admin/tenants/{id}/operations`: list the operations on a tenant, newest first.

use axum::{http::Uri, response::Response};
use shared::{
    http::{Page, Paging, QueryReader, Result, Routes, TenantPath},
    operations::{self, Operation},
    routes,
    super_admins::{AuthContext, MayRead},
    tenants,
    types::{Cursor, PageLimit},
};

/// Name of the list in its cursors.
const LIST: &str = "operations";

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_tenant_operations)
}

/// List a tenant's operations
///
/// Lists the operations on the tenant's databases, newest first, with the status of every step.
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
