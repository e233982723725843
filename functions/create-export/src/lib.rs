//! `POST /api/super-admin/tenants/{id}/exports`: copy a tenant to files.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use deserr::Deserr;
use shared::{
    exports::Export,
    http::{
        Accepted, BASE_PATH, BodyErrors, IdempotencyKey, IdempotentRequest, IdempotentResponse, JsonBody, Result,
        Routes, TenantPath,
    },
    routes,
    super_admins::{IdempotentOperationContext, MayAdminister},
    tenants::{self, ExportTenant, RequestedExport},
    types::Reason,
};
use utoipa::ToSchema;

pub fn routes(app: IdempotentOperationContext) -> Routes {
    routes!(app: IdempotentOperationContext => create_export)
}

/// An export to request.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct ExportRequest {
    /// Why the tenant is exported.
    reason: Reason,
}

/// Export a tenant organization
///
/// An operation copies the tenant's PostgreSQL database from one snapshot, its MongoDB database from one cluster time, and the list of its
/// objects to files in the platform's bucket, while the tenant is in use. Then the export is `complete`, and
/// `POST /tenants/{id}/exports/{export_id}/links` returns links to the files. If it cannot be completed, it is `failed`, and the tenant stays as
/// it is. A suspension or a deletion supersedes it.
#[utoipa::path(
    post,
    path = "/api/super-admin/tenants/{id}/exports",
    params(TenantPath, IdempotencyKey),
    request_body(content = ExportRequest, example = json!({"reason": "The customer has asked for a copy"})),
    responses(
        (status = 202, description = "The export (pending)", body = Export,
            headers(
                ("location" = String, description = "URL of the export"),
                ("operation-location" = String, description = "URL of the operation that writes the export"),
                ("etag" = String, description = "The revision"),
            )),
        (status = 404, description = "No such tenant"),
    ),
    extensions(("x-conflicts" = json!(["tenant-not-active", "operation-running"]))),
    security(("bearer" = []))
)]
async fn create_export(
    MayAdminister(principal): MayAdminister,
    TenantPath(id): TenantPath,
    key: IdempotencyKey,
    State(app): State<IdempotentOperationContext>,
    JsonBody { value: body, bytes }: JsonBody<ExportRequest>,
) -> Result<Response> {
    let route = format!("POST {BASE_PATH}/tenants/{id}/exports");
    let idempotent = IdempotentRequest::new(&app.fingerprints, &principal.id, route, key, &bytes)?;
    let mut platform = app.auth.platform.get().await?;
    let command = ExportTenant { actor: principal.actor(), id, reason: &body.reason };
    let answer = idempotent
        .run(
            &mut platform,
            async |transaction| tenants::export(transaction, &command).await,
            |RequestedExport { export, operation_id }| Accepted {
                body: export.clone(),
                location: format!("{BASE_PATH}/tenants/{id}/exports/{}", export.id),
                revision: export.revision,
                operation_id: *operation_id,
            },
        )
        .await?;
    if let IdempotentResponse::First(requested, _) = &answer {
        app.dispatcher.send_provision(&platform, requested.operation_id).await;
    }
    Ok(answer.into_response())
}
