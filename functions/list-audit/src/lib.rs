//! `GET /api/super-admin/audit`: the audit log, newest first, a page at a time.

use axum::response::Response;
use shared::{
    audit::{self, AuditFilter, AuditRecord},
    http::{ListRequest, Result, Routes},
    routes,
    super_admins::{AuthContext, MayRead},
    types::Cursor,
};

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_audit)
}

/// Read the audit log
///
/// A change in a tenant's own database has two entries: the intent, written before the change, and the outcome, which refers
/// to the intent. An intent without an outcome means that the change is running, or was
/// interrupted and is not settled yet.
#[utoipa::path(
    get,
    path = "/api/super-admin/audit",
    params(ListRequest<AuditFilter>),
    responses(
        (status = 200, description = "Array of entries", body = Vec<AuditRecord>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
    ),
    security(("bearer" = []))
)]
async fn list_audit(reader: MayRead, request: ListRequest<AuditFilter>) -> Result<Response> {
    let list = audit::store::list(reader.client(), &request.filter, request.at);
    let entries = reader.admit(list).await?;
    request.page(&entries, |entry| Cursor { created_at: entry.at, id: entry.id })
}
