//! `GET /api/super-admin/impersonations/{id}`: one impersonation, and whether it is live now.

use axum::{
    extract::FromRef,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use shared::{
    auth::{MayRead, TokenVerifier},
    clients::postgres::Postgres,
    config::{ConfigError, FromEnv, PostgresConfig, TokenConfig},
    domain::{Impersonation, ImpersonationId},
    error::Error,
    http::{IdPath, ProblemDetails, Result, etag},
    store::impersonations,
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
    OpenApiRouter::new().routes(routes!(get_impersonation)).with_state(app)
}

/// Get an impersonation
#[utoipa::path(
    get,
    path = "/api/super-admin/impersonations/{id}",
    params(("id" = uuid::Uuid, Path, description = "The impersonation: the sid of its token")),
    responses(
        (status = 200, description = "The impersonation, and whether it is live", body = Impersonation,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 400, description = "The id is not a UUID", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 401, description = "No valid bearer token", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 403, description = "Not a super-admin", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 404, description = "No such impersonation", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 503, description = "The platform database is not available", body = ProblemDetails,
            content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn get_impersonation(reader: MayRead, IdPath(id): IdPath<ImpersonationId>) -> Result<Response> {
    let impersonation = reader.admit(impersonations::find(reader.client(), id)).await?;
    let body = serde_json::to_vec(&impersonation).map_err(Error::internal)?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json), (header::ETAG, etag(impersonation.revision))], body).into_response())
}
