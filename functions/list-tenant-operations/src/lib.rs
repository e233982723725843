//! `GET /api/super-admin/tenants/{id}/operations`: what was and is being done to a tenant, newest first.

use axum::{extract::FromRef, http::Uri, response::Response};
use shared::{
    auth::{MayRead, TokenVerifier},
    clients::postgres::Postgres,
    config::{ConfigError, FromEnv, PostgresConfig, TokenConfig},
    domain::{Cursor, Operation, PageLimit},
    http::{Page, ProblemDetails, QueryReader, Result, TenantPath},
    store::{operations, tenants},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The name of the list inside its cursors.
const LIST: &str = "operations";

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
    OpenApiRouter::new().routes(routes!(list_tenant_operations)).with_state(app)
}

/// List a tenant's operations
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/{id}/operations",
    params(
        ("id" = uuid::Uuid, Path, description = "The tenant"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 10_000, description = "How many, 1000 unless said"),
        ("cursor" = Option<String>, Query, description = "Where the page before ended, from its Link"),
    ),
    responses(
        (status = 200, description = "Array of operations with their steps, newest first", body = Vec<Operation>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
        (status = 400, description = "The id or a parameter is wrong", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 401, description = "No valid bearer token", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 403, description = "Not a super-admin", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 404, description = "No such tenant", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 503, description = "The platform database is not available", body = ProblemDetails,
            content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_tenant_operations(
    reader: MayRead,
    TenantPath(id): TenantPath,
    mut query: QueryReader,
    uri: Uri,
) -> Result<Response> {
    let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
    let cursor = query.take("cursor", |text| Cursor::decode(text, LIST));
    query.finish()?;
    reader.admit(tenants::find(reader.client(), id)).await?;
    let operations = operations::list(reader.client(), id, cursor, limit).await?;
    let page = Page::new(LIST, &operations, limit, |operation: &Operation| Cursor {
        created_at: operation.created_at,
        id: operation.id.0,
    })?;
    Ok(page.into_response(&uri))
}
