//! `GET /api/super-admin/admins/{id}`: get one super-admin.

use shared::{
    http::{IdPath, Result, Routes, Tagged},
    routes,
    super_admins::{self, AuthContext, MayRead, SuperAdmin},
    types::SuperAdminId,
};

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => get_admin)
}

/// Get a super-admin
///
/// The entity tag contains the revision, for the header `If-Match` of a later change.
#[utoipa::path(
    get,
    path = "/api/super-admin/admins/{id}",
    params(IdPath<SuperAdminId>),
    responses(
        (status = 200, description = "The super-admin", body = SuperAdmin,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such super-admin"),
    ),
    security(("bearer" = []))
)]
async fn get_admin(reader: MayRead, IdPath(id): IdPath<SuperAdminId>) -> Result<Tagged<SuperAdmin>> {
    let super_admin = reader
        .admit_with_state(|client, caller| super_admins::store::find_with_reader_state(client, caller, id))
        .await?;
    let revision = super_admin.revision;
    Ok(Tagged(super_admin, revision))
}
