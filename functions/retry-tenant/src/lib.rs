//! `POST /api/super-admin/tenants/{id}/retry`: provision a failed tenant again.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use shared::{
    config::{ConfigError, FromEnv, IdempotencyConfig, QueueConfig},
    events::dispatch::Dispatcher,
    http::{
        BASE_PATH, Fingerprints, IdempotencyKey, IdempotentRequest, IdempotentResponse, Result, Routes, Started,
        TenantPath, WithOperation,
    },
    routes,
    super_admins::{AuthContext, MayOperate},
    tenants::{self, RetriedTenant, RetryTenant, Tenant},
};

/// State of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub gate: AuthContext,
    pub fingerprints: Fingerprints,
    pub dispatcher: Arc<Dispatcher>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: AuthContext::from_env()?,
            fingerprints: Fingerprints::new(&IdempotencyConfig::from_env()?),
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
        })
    }
}

/// The description of the response's body.
type TenantWithOperation = WithOperation<Tenant>;

pub fn routes(app: App) -> Routes {
    routes!(app: App => retry_tenant)
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
    extensions(("x-conflicts" = json!(["tenant-not-failed", "operation-running", "first-password-erased", "tenant-deletion-begun"]))),
    security(("bearer" = []))
)]
async fn retry_tenant(
    MayOperate(principal): MayOperate,
    TenantPath(id): TenantPath,
    key: IdempotencyKey,
    State(app): State<App>,
) -> Result<Response> {
    let route = format!("POST {BASE_PATH}/tenants/{id}/retry");
    let idempotent = IdempotentRequest::new(&app.fingerprints, &principal.id, route, key, b"")?;
    let mut platform = app.gate.platform.get().await?;
    let command = RetryTenant { actor: principal.actor(), id };
    let answer = idempotent
        .run(
            &mut platform,
            async |transaction| tenants::retry(transaction, &command).await,
            |RetriedTenant { tenant, operation_id }| Started {
                status: StatusCode::ACCEPTED,
                body: tenant.clone(),
                location: format!("{BASE_PATH}/tenants/{id}"),
                revision: tenant.revision,
                operation_id: *operation_id,
            },
        )
        .await?;
    if let IdempotentResponse::First(retried, _) = &answer {
        app.dispatcher.send_provision(&platform, retried.operation_id).await;
    }
    Ok(answer.into_response())
}
