//! `GET /api/super-admin/reconciliations`: list the reconciliations.

use axum::response::Response;
use shared::{
    http::{ListRequest, Result, Routes},
    reconciliation::{self, Reconciliation, ReconciliationFilter},
    routes,
    super_admins::{AuthContext, MayRead},
    types::Cursor,
};

/// The function's one route.
pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_reconciliations)
}

/// List reconciliations
///
/// Lists what was compared and how much was found, newest first by default. A schedule requests one every hour.
#[utoipa::path(
    get,
    path = "/api/super-admin/reconciliations",
    params(ListRequest<ReconciliationFilter>),
    responses(
        (status = 200, description = "Array of reconciliations without their findings", body = Vec<Reconciliation>, headers(
            ("link" = String, description = "The next page, RFC 8288 rel=\"next\""),
            ("x-total-count" = i64, description = "With `count=true`: the number of reconciliations on all pages"),
            ("x-total-count-relation" = String, description = "`eq` if that number is exact, `gte` if there are more"),
        )),
    ),
    security(("bearer" = []))
)]
async fn list_reconciliations(reader: MayRead, request: ListRequest<ReconciliationFilter>) -> Result<Response> {
    let list = reconciliation::store::list(reader.client(), &request.filter, request.at);
    let count = request.count(reconciliation::store::count(reader.client(), &request.filter));
    let (found, count) = reader.admit(futures::future::try_join(list, count)).await?;
    request.counted_page(&found, count, |one| Cursor { created_at: one.created_at, id: one.id.0 })
}
