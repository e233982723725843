//! `GET /api/super-admin/tenants/{id}/receipt`: the signed receipt of a tenant that was deleted.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use shared::{
    config::{ConfigError, FromEnv, ImpersonationSigningConfig, KeptConfig},
    http::{Json, Result, Routes, TenantPath},
    routes,
    super_admins::{AnySuperAdmin, AuthContext},
    tenants::{self, ReceiptSigner, TenantReceipt},
};

/// State of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub signer: Arc<ReceiptSigner>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        let signer = ReceiptSigner::new(&ImpersonationSigningConfig::from_env()?, KeptConfig::from_env()?)?;
        Ok(Self { auth: AuthContext::from_env()?, signer: Arc::new(signer) })
    }
}

pub fn routes(app: App) -> Routes {
    routes!(app: App => get_tenant_receipt)
}

/// Get the receipt of a deleted tenant organization
///
/// What existed in each store, what was removed, what a search of every store found afterwards, and what remains until when. It is a
/// JWS that verifies without this API, with the keys of `/.well-known/jwks.json`, and the same for every request.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/{id}/receipt",
    params(TenantPath),
    responses(
        (status = 200, description = "The receipt", body = TenantReceipt),
        (status = 404, description = "No such tenant"),
    ),
    extensions(("x-conflicts" = json!(["receipt-not-ready"]))),
    security(("bearer" = []))
)]
async fn get_tenant_receipt(
    AnySuperAdmin(_caller): AnySuperAdmin,
    TenantPath(id): TenantPath,
    State(app): State<App>,
) -> Result<Json<TenantReceipt>> {
    let platform = app.auth.platform.get().await?;
    Ok(Json(tenants::receipt(&platform, &app.signer, id).await?))
}
