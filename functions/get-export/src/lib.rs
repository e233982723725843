//! `GET /api/super-admin/tenants/{id}/exports/{export_id}`: get one export.

use std::time::Duration;

use shared::{
    exports::{self, Export, ExportStatus},
    http::{IfNoneMatch, Polled, Result, Routes, TenantExportPath},
    routes,
    super_admins::{AuthContext, MayRead},
};

/// When a client should ask again until the export has ended.
const POLLING_INTERVAL: Duration = Duration::from_secs(2);

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => get_export)
}

/// Get an export
///
/// What it contains, and until when its files can be read. It contains no links: `POST /tenants/{id}/exports/{export_id}/links` returns them.
///
/// To follow an export, repeat the request with the entity tag of the previous response in `If-None-Match`, after the seconds in
/// `Retry-After`, until a response has no `Retry-After`: then the export has ended.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/{id}/exports/{export_id}",
    params(TenantExportPath, IfNoneMatch),
    responses(
        (status = 200, description = "The export", body = Export, headers(
            ("etag" = String, description = "The revision, for If-None-Match"),
            ("retry-after" = i64, description = "Seconds after which to repeat the request; absent if the export has ended"),
        )),
        (status = 304, description = "The export still has the entity tag in If-None-Match", headers(
            ("etag" = String, description = "The revision, for If-None-Match"),
            ("retry-after" = i64, description = "Seconds after which to repeat the request; absent if the export has ended"),
        )),
        (status = 404, description = "No such tenant, or no such export of it"),
    ),
    security(("bearer" = []))
)]
async fn get_export(
    reader: MayRead,
    TenantExportPath { tenant_id, export_id }: TenantExportPath,
    if_none_match: IfNoneMatch,
) -> Result<Polled<Export>> {
    let export = reader.admit(exports::store::find(reader.client(), tenant_id, export_id)).await?;
    let is_open = matches!(export.status, ExportStatus::Pending | ExportStatus::Running);
    let retry_after = is_open.then_some(POLLING_INTERVAL);
    Ok(Polled { revision: export.revision, body: export, if_none_match, retry_after })
}
