//! `POST /api/super-admin/tenants/{id}/retry`: provision a failed tenant again.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use shared::{
    http::{
        BASE_PATH, IdempotencyKey, IdempotentRequest, IdempotentResponse, Result, Routes, TenantPath, WithOperation,
    },
    routes,
    super_admins::{IdempotentOperationContext, MayOperate},
    tenants::{self, RetriedTenant, RetryTenant, Tenant},
};

/// The description of the response's body.
type TenantWithOperation = WithOperation<Tenant>;

pub fn routes(app: IdempotentOperationContext) -> Routes {
    routes!(app: IdempotentOperationContext => retry_tenant)
}

/// Provision a failed tenant again
///
/// A new operation, named by `operation_id`, provisions the tenant in the background, with the values that it was created with.
/// A tenant that has been failed for a month cannot be provisioned again, because the password of its first user was erased.
#[utoipa::path(
    post,
    path = "/api/super-admin/tenants/{id}/retry",
    params(TenantPath, IdempotencyKey),
    responses(
        (status = 202, description = "The organization (provisioning in background)", body = TenantWithOperation,
            headers(
                ("location" = String, description = "URL of the tenant"),
                ("operation-location" = String, description = "URL of the operation that provisions the tenant"),
                ("etag" = String, description = "The revision, for If-Match"),
            )),
        (status = 404, description = "No such tenant"),
    ),
    extensions(("x-conflicts" = json!(["tenant-not-failed", "operation-running", "first-password-erased", "restore-not-retried", "tenant-deletion-begun"]))),
    security(("bearer" = []))
)]
async fn retry_tenant(
    MayOperate(principal): MayOperate,
    TenantPath(id): TenantPath,
    key: IdempotencyKey,
    State(app): State<IdempotentOperationContext>,
) -> Result<Response> {
    let route = format!("POST {BASE_PATH}/tenants/{id}/retry");
    let idempotent = IdempotentRequest::new(&app.fingerprints, &principal.id, route, key, b"")?;
    let mut platform = app.auth.platform.get().await?;
    let command = RetryTenant { actor: principal.actor(), id };
    let answer = idempotent
        .run(
            &mut platform,
            async |transaction| tenants::retry(transaction, &command).await,
            |RetriedTenant { tenant, operation_id }| tenant.clone().started(*operation_id),
        )
        .await?;
    if let IdempotentResponse::First(retried, _) = &answer {
        app.dispatcher.send_provision(&platform, retried.operation_id).await;
    }
    Ok(answer.into_response())
}
