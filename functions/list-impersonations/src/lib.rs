//! `GET /api/super-admin/impersonations`: lists impersonations.

use axum::response::Response;
use shared::{
    http::{ListRequest, Result, Routes},
    impersonations::{self, Impersonation, ImpersonationFilter},
    routes,
    super_admins::{AuthContext, MayRead},
    types::Cursor,
};

/// The function's one route.
pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_impersonations)
}

/// List impersonations
///
/// Lists impersonations, newest first: which super-admin acted as which user, when and why.
#[utoipa::path(
    get,
    path = "/api/super-admin/impersonations",
    params(ListRequest<ImpersonationFilter>),
    responses(
        (status = 200, description = "Array of impersonations, newest first", body = Vec<Impersonation>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
    ),
    security(("bearer" = []))
)]
async fn list_impersonations(reader: MayRead, request: ListRequest<ImpersonationFilter>) -> Result<Response> {
    let list = impersonations::store::list(reader.client(), &request.filter, request.at);
    let impersonations = reader.admit(list).await?;
    request.page(&impersonations, |one| Cursor { created_at: one.started_at, id: one.id.0 })
}
