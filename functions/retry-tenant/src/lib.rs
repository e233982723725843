//! `POST /api/super-admin/tenants/{id}/retry`: provision a tenant again whose provisioning failed.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    response::{IntoResponse, Response},
};
use serde_json::json;
use shared::{
    audit::{self, AuditEntry},
    clients::postgres::Transaction,
    config::{ConfigError, FromEnv, IdempotencyConfig, QueueConfig},
    error::Error,
    events::{self, Dispatcher},
    http::{
        Accepted, BASE_PATH, Fingerprints, IdempotencyKey, IdempotentRequest, IdempotentResponse, Result, Routes,
        TenantPath,
    },
    operations::{self, OperationKind},
    routes,
    super_admins::{AuthContext, MayOperate, Principal},
    tenants::{self, Tenant, TenantStatus},
    types::{OperationId, TenantId},
};
use time::OffsetDateTime;

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// Who may do what, and the platform database.
    pub gate: AuthContext,
    /// Tells requests with the same idempotency key apart.
    pub fingerprints: Fingerprints,
    /// Sends the operation to its worker.
    pub dispatcher: Arc<Dispatcher>,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: AuthContext::from_env()?,
            fingerprints: Fingerprints::new(&IdempotencyConfig::from_env()?),
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => retry_tenant)
}

/// Provision a failed tenant again
///
/// With what it was asked for with. It is in the background again, under a new operation.
#[utoipa::path(
    post,
    path = "/api/super-admin/tenants/{id}/retry",
    params(TenantPath, IdempotencyKey),
    responses(
        (status = 202, description = "The organization (provisioning in background)", body = Tenant,
            headers(
                ("location" = String, description = "The tenant"),
                ("etag" = String, description = "The revision, for If-Match"),
            )),
        (status = 404, description = "No such tenant"),
        (status = 409, description = "The tenant has not failed, or an operation runs"),
    ),
    security(("bearer" = []))
)]
async fn retry_tenant(
    MayOperate(admin): MayOperate,
    TenantPath(id): TenantPath,
    key: IdempotencyKey,
    State(app): State<App>,
) -> Result<Response> {
    let route = format!("POST {BASE_PATH}/tenants/{id}/retry");
    let idempotent = IdempotentRequest::new(&app.fingerprints, &admin.id, route, key, b"")?;
    let mut platform = app.gate.platform.get().await?;
    let answer = idempotent
        .run(
            &mut platform,
            async |transaction| retry(transaction, &admin, id).await,
            |(tenant, _)| Accepted {
                body: tenant.clone(),
                location: Some(format!("{BASE_PATH}/tenants/{id}")),
                revision: Some(tenant.revision),
            },
        )
        .await?;
    if let IdempotentResponse::First((_, operation_id), _) = &answer {
        app.dispatcher.provision(&platform, *operation_id).await;
    }
    Ok(answer.into_response())
}

async fn retry(transaction: &Transaction<'_>, admin: &Principal, id: TenantId) -> Result<(Tenant, OperationId), Error> {
    let before = tenants::store::find_for_update(transaction, id).await?;
    operations::store::refuse_if_open(transaction, id).await?;
    if before.status != TenantStatus::Failed {
        let status = before.status;
        return Err(Error::Conflict(format!("The tenant is {status}; only a failed one can be retried")));
    }
    let now = OffsetDateTime::now_utc();
    let tenant = tenants::store::set_status(transaction, id, TenantStatus::Provisioning).await?;
    let operation_id = operations::store::insert(transaction, id, OperationKind::Retry, &admin.id, now).await?;
    events::store::insert_provision(transaction, id, operation_id).await?;
    let entry = AuditEntry::done(admin.actor(), "tenant.retry", id, json!({ "operation_id": operation_id }));
    audit::store::insert(transaction, &entry).await?;
    Ok((tenant, operation_id))
}
