//! `GET /api/super-admin/tenants/{id}/usage/history`: the usage of a tenant by day, and a forecast.

use shared::{
    http::{Json, Query, Result, Routes, TenantPath},
    routes,
    super_admins::{AuthContext, MayRead},
    usage::{self, HistoryRange, ListHistory, UsageHistory},
};

/// The function's one route.
pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => get_usage_history)
}

/// Get the usage of a tenant organization by day
///
/// What the tenant used at the last measurement of each day, and when it will reach each limit if its usage goes on as in the last 30
/// days. Days are UTC, and kept for a time that the deployment sets (400 by default).
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/{id}/usage/history",
    params(TenantPath, HistoryRange),
    responses(
        (status = 200, description = "The days, and the forecast", body = UsageHistory),
        (status = 404, description = "No such tenant"),
    ),
    security(("bearer" = []))
)]
async fn get_usage_history(
    reader: MayRead,
    TenantPath(tenant_id): TenantPath,
    Query(range): Query<HistoryRange>,
) -> Result<Json<UsageHistory>> {
    let history = usage::list_history(reader.client(), ListHistory { tenant_id, range });
    Ok(Json(reader.admit(history).await?))
}
