//! `GET /api/super-admin/tenants/{id}/operations`: list the operations on a tenant, newest first.

use axum::response::Response;
use shared::{
    http::{ListParameters, ListRequest, Result, Routes, TenantPath},
    operations::{self, Operation, OperationFilter, OperationKind, OperationStatus},
    query_parameters, routes,
    super_admins::{AuthContext, MayRead},
    tenants,
    types::{CreatedRange, Cursor, Values},
};

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_tenant_operations)
}

query_parameters! {
    /// The filters of the operations on one tenant.
    #[derive(Debug, Clone)]
    struct TenantOperationFilter {
        /// Only operations with one of these statuses, separated by commas
        status: Option<Values<OperationStatus>>,
        /// Only operations of this kind
        kind: Option<OperationKind>,
        created: CreatedRange,
    }
}

impl ListParameters for TenantOperationFilter {
    const LIST: &str = "operations";
}

/// List a tenant's operations
///
/// Lists the operations on the tenant's databases with the status of every step, newest first by default.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/{id}/operations",
    params(TenantPath, ListRequest<TenantOperationFilter>),
    responses(
        (status = 200, description = "Array of operations with their steps", body = Vec<Operation>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
        (status = 404, description = "No such tenant"),
    ),
    security(("bearer" = []))
)]
async fn list_tenant_operations(
    reader: MayRead,
    TenantPath(id): TenantPath,
    request: ListRequest<TenantOperationFilter>,
) -> Result<Response> {
    reader.admit(tenants::store::find(reader.client(), id)).await?;
    let TenantOperationFilter { status, kind, created } = request.filter.clone();
    let filter = OperationFilter { status, kind, tenant_id: Some(id), stuck: None, created };
    let operations = operations::store::list(reader.client(), &filter, request.at).await?;
    request.page(&operations, |operation| Cursor { created_at: operation.created_at, id: operation.id.0 })
}
