//! `GET /api/super-admin/impersonations`: lists impersonations.

use axum::{http::Uri, response::Response};
use shared::{
    audit::parse_audit_name,
    error::Error,
    http::{Page, Paging, QueryReader, Result, Routes},
    impersonations::{self, Impersonation, store::ImpersonationFilter},
    routes,
    super_admins::{AuthContext, MayRead},
    types::{Cursor, PageLimit, TenantId, UserId},
};

/// The name of the list inside its cursors.
const LIST: &str = "impersonations";

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
    params(
        ("tenant_id" = Option<TenantId>, Query, description = "Only impersonations in this tenant"),
        ("admin_id" = Option<String>, Query, max_length = 255, pattern = r"^[^\x00-\x20\x7f-\x9f]*$", description = "Only impersonations by this super-admin"),
        ("user_id" = Option<UserId>, Query, description = "Only impersonations of this user"),
        ("live" = Option<bool>, Query, description = "Only impersonations that are live (`true`), or that are not (`false`)"),
        Paging,
    ),
    responses(
        (status = 200, description = "Array of impersonations, newest first", body = Vec<Impersonation>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
    ),
    security(("bearer" = []))
)]
async fn list_impersonations(reader: MayRead, query: QueryReader, uri: Uri) -> Result<Response> {
    let (filter, cursor, limit) = read(query)?;
    let found = reader.admit(impersonations::store::list(reader.client(), &filter, cursor, limit)).await?;
    let page =
        Page::new(LIST, &found, limit, |one: &Impersonation| Cursor { created_at: one.started_at, id: one.id.0 })?;
    Ok(page.into_response(&uri))
}

fn read(mut query: QueryReader) -> Result<(ImpersonationFilter, Option<Cursor>, PageLimit), Error> {
    let filter = ImpersonationFilter {
        tenant_id: query.take("tenant_id", str::parse::<TenantId>),
        admin_id: query.take("admin_id", parse_audit_name),
        user_id: query.take("user_id", str::parse::<UserId>),
        live: query.take("live", str::parse),
    };
    let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
    let cursor = query.take("cursor", |text| Cursor::decode(text, LIST));
    query.finish()?;
    Ok((filter, cursor, limit))
}
