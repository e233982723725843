//! `GET /api/super-admin/operations`: list the operations on all tenants.

use axum::response::Response;
use shared::{
    http::{ListRequest, Result, Routes},
    operations::{self, Operation, OperationFilter},
    routes,
    super_admins::{AuthContext, MayRead},
    types::Cursor,
};

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_operations)
}

/// List operations
///
/// Lists the operations on the databases of all tenants with the status of every step, newest first by default. With `stuck=true`, the
/// list contains the operations that need attention; `reason` and the `error` of each step say why.
#[utoipa::path(
    get,
    path = "/api/super-admin/operations",
    params(ListRequest<OperationFilter>),
    responses(
        (status = 200, description = "Array of operations with their steps", body = Vec<Operation>, headers(
            ("link" = String, description = "The next page, RFC 8288 rel=\"next\""),
            ("x-total-count" = i64, description = "With `count=true`: the number of operations on all pages"),
            ("x-total-count-relation" = String, description = "`eq` if that number is exact, `gte` if there are more"),
        )),
    ),
    security(("bearer" = []))
)]
async fn list_operations(reader: MayRead, request: ListRequest<OperationFilter>) -> Result<Response> {
    let list = operations::store::list(reader.client(), &request.filter, request.at);
    let count = request.count(operations::store::count(reader.client(), &request.filter));
    let (operations, count) = reader.admit(futures::future::try_join(list, count)).await?;
    request.counted_page(&operations, count, |one| Cursor { created_at: one.created_at, id: one.id.0 })
}
