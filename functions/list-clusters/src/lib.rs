//! `GET /api/super-admin/clusters`: lists the clusters of tenants' databases.

use shared::{
    clusters::{self, Cluster},
    http::{Json, Result, Routes},
    routes,
    super_admins::{AuthContext, MayRead},
};

/// The function's one route.
pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_clusters)
}

/// List clusters
///
/// Lists the configured clusters of tenants' databases, by kind and name: how many tenants each holds and may hold, and whether it fails. A
/// cluster that is not configured any more and still has tenants is listed, too. The function has none of the clusters' logins: `provision-tenant`
/// records its configuration when it starts.
#[utoipa::path(
    get,
    path = "/api/super-admin/clusters",
    responses((status = 200, description = "Array of clusters", body = Vec<Cluster>)),
    security(("bearer" = []))
)]
async fn list_clusters(reader: MayRead) -> Result<Json<Vec<Cluster>>> {
    Ok(Json(reader.admit(clusters::store::list(reader.client())).await?))
}
