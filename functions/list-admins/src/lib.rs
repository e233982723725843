//! `GET /api/super-admin/admins`: the super-admins, newest first, a page at a time.

use axum::{http::Uri, response::Response};
use shared::{
    http::{Page, Paging, QueryReader, Result, Routes},
    routes,
    super_admins::{self, AuthContext, MayRead, SuperAdmin, SuperAdminFilter, SuperAdminStatus},
    types::{Cursor, PageLimit, SuperAdminRole},
};

/// The list's name in its cursors.
const LIST: &str = "admins";

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_admins)
}

/// List super-admins
///
/// Includes disabled super-admins. One who signs in at the identity provider is listed only after being added here.
#[utoipa::path(
    get,
    path = "/api/super-admin/admins",
    params(
        ("role" = Option<SuperAdminRole>, Query, description = "Only this role"),
        ("status" = Option<SuperAdminStatus>, Query, description = "Only this status"),
        Paging,
    ),
    responses(
        (status = 200, description = "Array of super-admins", body = Vec<SuperAdmin>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
    ),
    security(("bearer" = []))
)]
async fn list_admins(reader: MayRead, mut query: QueryReader, uri: Uri) -> Result<Response> {
    let filter = SuperAdminFilter { role: query.take("role", str::parse), status: query.take("status", str::parse) };
    let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
    let cursor = query.take("cursor", |text| Cursor::decode(text, LIST));
    query.finish()?;
    let super_admins = reader.admit(super_admins::store::list(reader.client(), filter, cursor, limit)).await?;
    let page = Page::new(LIST, &super_admins, limit, |super_admin: &SuperAdmin| Cursor {
        created_at: super_admin.created_at,
        id: super_admin.id.0,
    })?;
    Ok(page.into_response(&uri))
}
