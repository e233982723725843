//! `GET /api/super-admin/tenants`: all tenant tenants, newest first, a page at a time.

use axum::{http::Uri, response::Response};
use shared::{
    error::Error,
    http::{Page, Paging, QueryReader, Result, Routes},
    routes,
    super_admins::{AuthContext, MayRead},
    tenants::{self, Tenant, TenantFilters, store::TenantFilter, tenant_filter},
    types::{Cursor, PageLimit},
};

/// The name of the list inside its cursors.
const LIST: &str = "tenants";

/// The function's one route.
pub fn routes(gate: AuthContext) -> Routes {
    routes!(gate: AuthContext => list_tenants)
}

/// List all tenant tenants
///
/// Every organization that is registered, whatever its status, newest first. Deleted ones are kept for the record.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants",
    params(TenantFilters, Paging),
    responses(
        (status = 200, description = "Array of tenants, newest first", body = Vec<Tenant>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
    ),
    security(("bearer" = []))
)]
async fn list_tenants(reader: MayRead, query: QueryReader, uri: Uri) -> Result<Response> {
    let (filter, cursor, limit) = read(query)?;
    let tenants = reader.admit(tenants::store::list(reader.client(), &filter, cursor, limit)).await?;
    let page =
        Page::new(LIST, &tenants, limit, |tenant: &Tenant| Cursor { created_at: tenant.created_at, id: tenant.id.0 })?;
    Ok(page.into_response(&uri))
}

fn read(mut query: QueryReader) -> Result<(TenantFilter, Option<Cursor>, PageLimit), Error> {
    let filter = tenant_filter(&mut query);
    let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
    let cursor = query.take("cursor", |text| Cursor::decode(text, LIST));
    query.finish()?;
    Ok((filter, cursor, limit))
}
