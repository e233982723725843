//! `GET /api/super-admin/reconciliations/{id}`: get one reconciliation with its findings.

use shared::{
    http::{IdPath, Json, Query, Result, Routes},
    query_parameters,
    reconciliation::{self, FindingKind, ReconciliationReport},
    routes,
    super_admins::{AuthContext, MayRead},
    types::ReconciliationId,
};

/// The function's one route.
pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => get_reconciliation)
}

query_parameters! {
    /// Which findings are returned.
    struct FindingParameters {
        /// Only findings of this kind
        kind: Option<FindingKind>,
    }
}

/// Get a reconciliation
///
/// Returns the reconciliation with its findings so far, at most 1,000; `counts` has the number of all. It has ended when `finished_at` is not
/// null.
#[utoipa::path(
    get,
    path = "/api/super-admin/reconciliations/{id}",
    params(IdPath<ReconciliationId>, FindingParameters),
    responses(
        (status = 200, description = "The reconciliation with its findings", body = ReconciliationReport),
        (status = 404, description = "No such reconciliation"),
    ),
    security(("bearer" = []))
)]
async fn get_reconciliation(
    reader: MayRead,
    IdPath(id): IdPath<ReconciliationId>,
    Query(FindingParameters { kind }): Query<FindingParameters>,
) -> Result<Json<ReconciliationReport>> {
    Ok(Json(reader.admit(reconciliation::store::find(reader.client(), id, kind)).await?))
}
