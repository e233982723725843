//! `GET /api/super-admin/tenants/{id}`: get one tenant.

use shared::{
    error::Error,
    http::{Query, Result, Routes, Tagged, TenantPath},
    routes,
    super_admins::{AuthContext, MayRead},
    tenant_views::{self, IncludeParameters, TenantView},
    tenants,
};

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => get_tenant)
}

/// Get a tenant organization
///
/// The entity tag contains the revision, for the header `If-Match` of a later change. `include` adds the usage, the newest
/// operation and the limits that are reached, which do not change the entity tag.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/{id}",
    params(TenantPath, IncludeParameters),
    responses(
        (status = 200, description = "Organization details", body = TenantView,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such tenant"),
    ),
    security(("bearer" = []))
)]
async fn get_tenant(
    reader: MayRead,
    TenantPath(id): TenantPath,
    Query(include): Query<IncludeParameters>,
) -> Result<Tagged<TenantView>> {
    let tenant = reader
        .admit_with_state(|client, caller| tenants::store::find_with_super_admin_state(client, caller, id))
        .await?;
    let revision = tenant.revision;
    let mut views = tenant_views::expand(reader.client(), vec![tenant], &include).await?;
    let view = views.pop().ok_or_else(|| Error::internal("the tenant was lost"))?;
    Ok(Tagged(view, revision))
}
