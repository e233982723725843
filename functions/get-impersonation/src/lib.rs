//! `GET /api/super-admin/impersonations/{id}`: returns one impersonation, and whether it is live.

use shared::{
    http::{IdPath, Result, Routes, Tagged},
    impersonations::{self, Impersonation},
    routes,
    super_admins::{AuthContext, MayRead},
    types::ImpersonationId,
};

/// The function's one route.
pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => get_impersonation)
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
async fn get_impersonation(reader: MayRead, IdPath(id): IdPath<ImpersonationId>) -> Result<Tagged<Impersonation>> {
    let impersonation = reader
        .admit_with_state(|client, caller| impersonations::store::find_with_super_admin_state(client, caller, id))
        .await?;
    let revision = impersonation.revision;
    Ok(Tagged(impersonation, revision))
}
