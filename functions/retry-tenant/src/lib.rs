//! `POST /api/super-admin/tenants/{id}/retry`: provision a failed tenant again.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use shared::{
    config::{ConfigError, FromEnv, IdempotencyConfig, QueueConfig},
    error::Error,
    events::Dispatcher,
    http::{BASE_PATH, Fingerprints, IdempotencyKey, IdempotentRequest, Replayable, Result, Routes, TenantPath, etag},
    routes,
    super_admins::{AuthContext, MayOperate},
    tenants::{self, RetryTenant, Tenant},
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

pub fn routes(app: App) -> Routes {
    routes!(app: App => retry_tenant)
}

/// Provision a failed tenant again
///
/// A new operation provisions the tenant in the background, with the values that it was created with.
#[utoipa::path(
    post,
    path = "/api/super-admin/tenants/{id}/retry",
    params(TenantPath, IdempotencyKey),
    responses(
        (status = 202, description = "The organization (provisioning in background)", body = Tenant,
            headers(
                ("location" = String, description = "URL of the tenant"),
                ("etag" = String, description = "The revision, for If-Match"),
            )),
        (status = 404, description = "No such tenant"),
        (status = 409, description = "The tenant has not failed, or an operation is running"),
    ),
    security(("bearer" = []))
)]
async fn retry_tenant(
    MayOperate(principal): MayOperate,
    TenantPath(id): TenantPath,
    key: IdempotencyKey,
    State(app): State<App>,
) -> Result<Response> {
    let route = format!("POST {BASE_PATH}/tenants/{id}/retry");
    let idempotent = IdempotentRequest::new(&app.fingerprints, &principal, route, key, b"")?;
    let mut connection = app.gate.platform.get().await?;
    let transaction = connection.transaction().await?;
    if let Some(replayed) = idempotent.begin(&transaction).await? {
        return Ok(replayed);
    }
    let retried = tenants::retry(&transaction, &RetryTenant { actor: principal.actor(), id }).await?;
    let response = accepted_response(&retried.tenant)?;
    idempotent.complete(&transaction, &response).await?;
    transaction.commit().await?;
    app.dispatcher.provision(&connection, retried.operation_id).await;
    Ok(response.into_response())
}

fn accepted_response(tenant: &Tenant) -> Result<Replayable> {
    let location = HeaderValue::from_str(&format!("{BASE_PATH}/tenants/{}", tenant.id)).map_err(Error::internal)?;
    Ok(Replayable {
        status: StatusCode::ACCEPTED,
        headers: vec![(header::LOCATION, location), (header::ETAG, etag(tenant.revision))],
        body: serde_json::to_string(tenant).map_err(Error::internal)?,
    })
}
