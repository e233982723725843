//! `GET /api/super-admin/tenants/{id}`: one tenant organization.

use axum::{
    extract::FromRef,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use shared::{
    auth::{MayRead, TokenVerifier},
    clients::postgres::Postgres,
    config::{ConfigError, FromEnv, PostgresConfig, TokenConfig},
    domain::Tenant,
    error::Error,
    http::{Result, TenantPath, etag},
    store::tenants,
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// The platform database.
    pub platform: Postgres,
    /// Verifies bearer tokens.
    pub verifier: TokenVerifier,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            platform: Postgres::connect(&PostgresConfig::from_env()?)?,
            verifier: TokenVerifier::new(&TokenConfig::from_env()?)?,
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(get_tenant)).with_state(app)
}

/// Get a tenant organization
///
/// Its entity tag names the revision, for `If-Match` of a change.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/{id}",
    params(TenantPath),
    responses(
        (status = 200, description = "Organization details", body = Tenant,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such tenant"),
    ),
    security(("bearer" = []))
)]
async fn get_tenant(reader: MayRead, TenantPath(id): TenantPath) -> Result<Response> {
    let tenant = reader.admit(tenants::find(reader.client(), id)).await?;
    let body = serde_json::to_vec(&tenant).map_err(Error::internal)?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json), (header::ETAG, etag(tenant.revision))], body).into_response())
}
