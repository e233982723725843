//! `GET /api/super-admin/tenants/{id}/operations`: list the operations on a tenant, newest first.

use axum::response::Response;
use shared::{
    http::{ListParameters, ListRequest, Result, Routes, TenantPath},
    operations::{self, Operation},
    query_parameters, routes,
    super_admins::{AuthContext, MayRead},
    tenants,
    types::Cursor,
};

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_tenant_operations)
}

query_parameters! {
    /// The list has no filters.
    struct OperationFilter {}
}

impl ListParameters for OperationFilter {
    const LIST: &str = "operations";
}

/// List a tenant's operations
///
/// Lists the operations on the tenant's databases, newest first, with the status of every step.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/{id}/operations",
    params(TenantPath, ListRequest<OperationFilter>),
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
    request: ListRequest<OperationFilter>,
) -> Result<Response> {
    reader.admit(tenants::store::find(reader.client(), id)).await?;
    let operations = operations::store::list(reader.client(), id, request.cursor, request.limit).await?;
    request.page(&operations, |operation| Cursor { created_at: operation.created_at, id: operation.id.0 })
}
