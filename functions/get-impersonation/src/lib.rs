//! `GET /api/super-admin/impersonations/{id}`: returns one impersonation, and whether it is live.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use shared::{
    error::Error,
    http::{IdPath, Result, Routes, etag},
    impersonations::{self, Impersonation},
    routes,
    super_admins::{AuthContext, MayRead},
    types::ImpersonationId,
};

/// The function's one route.
pub fn routes(gate: AuthContext) -> Routes {
    routes!(gate: AuthContext => get_impersonation)
}

/// Get an impersonation
///
/// Returns an impersonation by the `sid` of its token. A service can check here whether it is live. Ended impersonations stay
/// readable.
#[utoipa::path(
    get,
    path = "/api/super-admin/impersonations/{id}",
    params(IdPath<ImpersonationId>),
    responses(
        (status = 200, description = "The impersonation, and whether it is live", body = Impersonation,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such impersonation"),
    ),
    security(("bearer" = []))
)]
async fn get_impersonation(reader: MayRead, IdPath(id): IdPath<ImpersonationId>) -> Result<Response> {
    let impersonation = reader
        .admit_with_state(|client, caller| impersonations::store::find_with_super_admin_state(client, caller, id))
        .await?;
    let body = serde_json::to_vec(&impersonation).map_err(Error::internal)?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json), (header::ETAG, etag(impersonation.revision))], body).into_response())
}
