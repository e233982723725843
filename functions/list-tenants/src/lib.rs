//! `GET /api/super-admin/tenants`: list all tenants, newest first, page by page.

use axum::{http::Uri, response::Response};
use shared::{
    error::Error,
    http::{Page, Paging, QueryReader, Result, Routes},
    routes,
    super_admins::{AuthContext, MayRead},
    tenants::{self, Tenant, TenantFilters, store::TenantFilter, tenant_filter},
    types::{Cursor, PageLimit},
};

/// Name of the list in its cursors.
const LIST: &str = "tenants";

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_tenants)
}

/// List all tenant organizations
///
/// Lists the tenants of every status, newest first, including deleted tenants.
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
