//! `GET /api/super-admin/admins`: the super-admins, newest first, a page at a time.

use axum::response::Response;
use shared::{
    http::{ListRequest, Result, Routes},
    routes,
    super_admins::{self, AuthContext, MayRead, SuperAdmin, SuperAdminFilter},
    types::Cursor,
};

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_admins)
}

/// List super-admins
///
/// The list includes disabled super-admins. A super-admin who signs in at the identity provider is listed only if somebody has added
/// them here.
#[utoipa::path(
    get,
    path = "/api/super-admin/admins",
    params(ListRequest<SuperAdminFilter>),
    responses(
        (status = 200, description = "Array of super-admins", body = Vec<SuperAdmin>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
    ),
    security(("bearer" = []))
)]
async fn list_admins(reader: MayRead, request: ListRequest<SuperAdminFilter>) -> Result<Response> {
    let list = super_admins::store::list(reader.client(), &request.filter, request.at);
    let super_admins = reader.admit(list).await?;
    request.page(&super_admins, |super_admin| Cursor { created_at: super_admin.created_at, id: super_admin.id.0 })
}
