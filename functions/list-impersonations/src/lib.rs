//! `GET /api/super-admin/impersonations`: lists impersonations.

use axum::response::Response;
use shared::{
    http::{IfNoneMatch, ListRequest, Result, Routes},
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
/// Lists impersonations, newest first: which super-admin acted as which user, when and why. A client that shows them repeats the request
/// with the entity tag of the last response in `If-None-Match`, and gets 304 until the page changes.
#[utoipa::path(
    get,
    path = "/api/super-admin/impersonations",
    params(ListRequest<ImpersonationFilter>, IfNoneMatch),
    responses(
        (status = 200, description = "Array of impersonations, newest first", body = Vec<Impersonation>,
            headers(
                ("link" = String, description = "The next page, RFC 8288 rel=\"next\""),
                ("etag" = String, description = "The content of the page, for If-None-Match"),
            )),
        (status = 304, description = "The page still has the entity tag in If-None-Match",
            headers(("etag" = String, description = "The content of the page, for If-None-Match"))),
    ),
    security(("bearer" = []))
)]
async fn list_impersonations(
    reader: MayRead,
    request: ListRequest<ImpersonationFilter>,
    if_none_match: IfNoneMatch,
) -> Result<Response> {
    let list = impersonations::store::list(reader.client(), &request.filter, request.at);
    let impersonations = reader.admit(list).await?;
    request
        .page_unless_known(&impersonations, &if_none_match, |one| Cursor { created_at: one.started_at, id: one.id.0 })
}
