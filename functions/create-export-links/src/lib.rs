//! `POST /api/super-admin/tenants/{id}/exports/{export_id}/links`: links to the files of an export.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use deserr::Deserr;
use shared::{
    clients::s3::Bucket,
    config::{ConfigError, FromEnv, S3Config},
    exports::{self, ExportLinks, FileOffset, IssueLinks, ValidMinutes},
    http::{BodyErrors, Field, Json, JsonBody, Result, Routes, TenantExportPath},
    routes,
    super_admins::{AuthContext, MayAdminister},
};
use utoipa::ToSchema;

/// State of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub bucket: Arc<Bucket>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { auth: AuthContext::from_env()?, bucket: Arc::new(Bucket::connect(&S3Config::from_env()?)?) })
    }
}

pub fn routes(app: App) -> Routes {
    routes!(app: App => create_export_links)
}

/// Links to issue.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct LinksRequest {
    /// For how many minutes the links work.
    #[deserr(default)]
    valid_minutes: Field<ValidMinutes>,
    /// How many files to skip, for an export of more than 1,000: the `next_offset` of the previous response.
    #[deserr(default)]
    offset: Field<FileOffset>,
}

/// Issue links to the files of an export
///
/// A presigned URL for the manifest and for each file, with its size and its SHA-256. A link needs no token: everyone who has it can read the
/// file until `expires_at`. The audit log records who asked for the links. The links end earlier if the credentials of the function do.
///
/// A response contains the links of at most 1,000 files. For the others, repeat the request with `next_offset` as `offset` until that is null.
#[utoipa::path(
    post,
    path = "/api/super-admin/tenants/{id}/exports/{export_id}/links",
    params(TenantExportPath),
    request_body(content = LinksRequest, example = json!({"valid_minutes": 15})),
    responses(
        (status = 200, description = "The links", body = ExportLinks),
        (status = 404, description = "No such tenant, or no such export of it"),
    ),
    extensions(("x-conflicts" = json!(["export-not-complete", "export-damaged"]))),
    security(("bearer" = []))
)]
async fn create_export_links(
    MayAdminister(principal): MayAdminister,
    TenantExportPath { tenant_id, export_id }: TenantExportPath,
    State(app): State<App>,
    JsonBody { value: body, .. }: JsonBody<LinksRequest>,
) -> Result<Json<ExportLinks>> {
    let platform = app.auth.platform.get().await?;
    let valid = body.valid_minutes.0.unwrap_or_default();
    let offset = body.offset.0.unwrap_or_default();
    let command = IssueLinks { actor: principal.actor(), tenant_id, export_id, valid, offset };
    Ok(Json(exports::issue_links(&platform, &app.bucket, &command).await?))
}
