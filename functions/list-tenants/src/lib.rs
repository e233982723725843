//! `GET /api/super-admin/tenants`: list all tenants, newest first, page by page.

use axum::response::Response;
use shared::{
    http::{ListParameters, ListRequest, Result, Routes},
    query_parameters, routes,
    super_admins::{AuthContext, MayRead},
    tenant_views::{self, IncludeParameters, TenantView},
    tenants::{self, Tenant, TenantFilter},
    types::Cursor,
};

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_tenants)
}

query_parameters! {
    /// The filters of the list, and what it adds to the tenants.
    #[derive(Debug, Clone)]
    struct TenantListParameters {
        filter: TenantFilter,
        include: IncludeParameters,
    }
}

impl ListParameters for TenantListParameters {
    const LIST: &str = "tenants";
    const IS_COUNTED: bool = true;
}

/// List all tenant organizations
///
/// Lists the tenants of every status, including deleted tenants, newest first by default. `include` adds the usage, the
/// newest operation and the limits that are reached of each tenant.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants",
    params(ListRequest<TenantListParameters>),
    responses(
        (status = 200, description = "Array of tenants", body = Vec<TenantView>, headers(
            ("link" = String, description = "The next page, RFC 8288 rel=\"next\""),
            ("x-total-count" = i64, description = "With `count=true`: the number of tenants on all pages"),
            ("x-total-count-relation" = String, description = "`eq` if that number is exact, `gte` if there are more"),
        )),
    ),
    security(("bearer" = []))
)]
async fn list_tenants(reader: MayRead, request: ListRequest<TenantListParameters>) -> Result<Response> {
    let TenantListParameters { filter, include } = &request.filter;
    let list = tenants::store::list(reader.client(), filter, request.at);
    let count = request.count(tenants::store::count(reader.client(), filter));
    let (tenants, count) = reader.admit(futures::future::try_join(list, count)).await?;
    if include.include.is_none() {
        // Tenants alone are faster to serialize than views of them.
        return request.counted_page(&tenants, count, position);
    }
    let views = tenant_views::expand(reader.client(), tenants, include).await?;
    request.counted_page(&views, count, |view| position(&view.tenant))
}

fn position(tenant: &Tenant) -> Cursor {
    Cursor { created_at: tenant.created_at, id: tenant.id.0 }
}
