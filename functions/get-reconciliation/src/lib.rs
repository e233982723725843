//! `GET /api/super-admin/reconciliations/{id}`: get one reconciliation with its findings.

use shared::{
    http::{IdPath, Json, Result, Routes},
    reconciliation::{self, ReconciliationReport},
    routes,
    super_admins::{AuthContext, MayRead},
    types::ReconciliationId,
};

/// The function's one route.
pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => get_reconciliation)
}

/// Get a reconciliation
///
/// Returns the reconciliation with its findings so far. It has ended when `finished_at` is not null.
#[utoipa::path(
    get,
    path = "/api/super-admin/reconciliations/{id}",
    params(IdPath<ReconciliationId>),
    responses(
        (status = 200, description = "The reconciliation with its findings", body = ReconciliationReport),
        (status = 404, description = "No such reconciliation"),
    ),
    security(("bearer" = []))
)]
async fn get_reconciliation(
    reader: MayRead,
    IdPath(id): IdPath<ReconciliationId>,
) -> Result<Json<ReconciliationReport>> {
    Ok(Json(reader.admit(reconciliation::store::find(reader.client(), id)).await?))
}
