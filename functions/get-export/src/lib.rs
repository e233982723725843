//! `GET /api/super-admin/tenants/{id}/exports/{export_id}`: get one export.

use shared::{
    exports::{self, Export},
    http::{Result, Routes, Tagged, TenantExportPath},
    routes,
    super_admins::{AuthContext, MayRead},
};

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => get_export)
}

/// Get an export
///
/// What it contains, and until when its files can be read. It contains no links: `POST /tenants/{id}/exports/{export_id}/links` returns them.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/{id}/exports/{export_id}",
    params(TenantExportPath),
    responses(
        (status = 200, description = "The export", body = Export,
            headers(("etag" = String, description = "The revision"))),
        (status = 404, description = "No such tenant, or no such export of it"),
    ),
    security(("bearer" = []))
)]
async fn get_export(
    reader: MayRead,
    TenantExportPath { tenant_id, export_id }: TenantExportPath,
) -> Result<Tagged<Export>> {
    let export = reader.admit(exports::store::find(reader.client(), tenant_id, export_id)).await?;
    let revision = export.revision;
    Ok(Tagged(export, revision))
}
