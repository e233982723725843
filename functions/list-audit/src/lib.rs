//! `GET /api/super-admin/audit`: the audit log, newest first, a page at a time.

use axum::{http::Uri, response::Response};
use shared::{
    audit::{self, AuditFilter, AuditOutcome, AuditRecord, parse_audit_name},
    error::Error,
    http::{Page, Paging, QueryReader, Result, Routes},
    routes,
    super_admins::{AuthContext, MayRead},
    types::{Cursor, PageLimit, TenantId},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The list's name in its cursors.
const LIST: &str = "audit";

pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => list_audit)
}

/// Read the audit log
///
/// A change in a tenant's own database has two entries: the intent, written before the change, and the outcome, which refers
/// to the intent. An intent without an outcome means that the change was interrupted.
#[utoipa::path(
    get,
    path = "/api/super-admin/audit",
    params(
        ("tenant_id" = Option<TenantId>, Query, description = "Only entries of this tenant"),
        ("actor" = Option<String>, Query, max_length = 255, pattern = r"^[^\x00-\x20\x7f-\x9f]*$",
            description = "Only entries of this actor: a super-admin's id, or a subject at the identity provider"),
        ("action" = Option<String>, Query, max_length = 255, pattern = r"^[^\x00-\x20\x7f-\x9f]*$", example = "tenant.update",
            description = "Only this action"),
        ("outcome" = Option<AuditOutcome>, Query, description = "Only this outcome"),
        ("since" = Option<String>, Query, format = DateTime, description = "Only entries at or after this time, RFC 3339"),
        ("until" = Option<String>, Query, format = DateTime, description = "Only entries before this time, RFC 3339"),
        Paging,
    ),
    responses(
        (status = 200, description = "Array of entries", body = Vec<AuditRecord>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
    ),
    security(("bearer" = []))
)]
async fn list_audit(reader: MayRead, query: QueryReader, uri: Uri) -> Result<Response> {
    let (filter, cursor, limit) = read(query)?;
    let entries = reader.admit(audit::store::list(reader.client(), &filter, cursor, limit)).await?;
    let page = Page::new(LIST, &entries, limit, |entry: &AuditRecord| Cursor { created_at: entry.at, id: entry.id })?;
    Ok(page.into_response(&uri))
}

fn read(mut query: QueryReader) -> Result<(AuditFilter, Option<Cursor>, PageLimit), Error> {
    let filter = AuditFilter {
        tenant_id: query.take("tenant_id", str::parse),
        actor: query.take("actor", parse_audit_name),
        action: query.take("action", parse_audit_name),
        outcome: query.take("outcome", str::parse),
        since: query.take("since", parse_time),
        until: query.take("until", parse_time),
    };
    let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
    let cursor = query.take("cursor", |text| Cursor::decode(text, LIST));
    query.finish()?;
    Ok((filter, cursor, limit))
}

fn parse_time(text: &str) -> Result<OffsetDateTime, &'static str> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "must be a time such as 2026-11-24T09:30:00Z")
}
