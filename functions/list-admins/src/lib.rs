//! `GET /api/super-admin/admins`: the operators of the platform, newest first, a page at a time.

use axum::{http::Uri, response::Response};
use shared::{
    http::{Page, Paging, QueryReader, Result, Routes},
    routes,
    super_admins::{self, AuthContext, MayRead, SuperAdmin, SuperAdminStatus, store::SuperAdminFilter},
    types::{Cursor, PageLimit, SuperAdminRole},
};

/// The name of the list inside its cursors.
const LIST: &str = "admins";

/// The function's one route.
pub fn routes(gate: AuthContext) -> Routes {
    routes!(gate: AuthContext => list_admins)
}

/// List operators
///
/// The super-admins who are known here, disabled ones among them.
#[utoipa::path(
    get,
    path = "/api/super-admin/admins",
    params(
        ("role" = Option<SuperAdminRole>, Query, description = "Only this role"),
        ("status" = Option<SuperAdminStatus>, Query, description = "Only this status"),
        Paging,
    ),
    responses(
        (status = 200, description = "Array of operators", body = Vec<SuperAdmin>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
    ),
    security(("bearer" = []))
)]
async fn list_admins(reader: MayRead, mut query: QueryReader, uri: Uri) -> Result<Response> {
    let filter = SuperAdminFilter { role: query.take("role", str::parse), status: query.take("status", str::parse) };
    let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
    let cursor = query.take("cursor", |text| Cursor::decode(text, LIST));
    query.finish()?;
    let operators = reader.admit(super_admins::store::list(reader.client(), filter, cursor, limit)).await?;
    let page = Page::new(LIST, &operators, limit, |operator: &SuperAdmin| Cursor {
        created_at: operator.created_at,
        id: operator.id.0,
    })?;
    Ok(page.into_response(&uri))
}
