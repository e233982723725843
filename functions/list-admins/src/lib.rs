//! `GET /api/super-admin/admins`: the operators of the platform, newest first, a page at a time.

use axum::{extract::FromRef, http::Uri, response::Response};
use shared::{
    auth::{MayRead, TokenVerifier},
    clients::postgres::Postgres,
    config::{ConfigError, FromEnv, PostgresConfig, TokenConfig},
    domain::{Cursor, Operator, OperatorRole, OperatorStatus, PageLimit},
    http::{Page, ProblemDetails, QueryReader, Result},
    store::super_admins::{self, OperatorFilter},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The name of the list inside its cursors.
const LIST: &str = "admins";

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
    OpenApiRouter::new().routes(routes!(list_admins)).with_state(app)
}

/// List operators
#[utoipa::path(
    get,
    path = "/api/super-admin/admins",
    params(
        ("role" = Option<OperatorRole>, Query, description = "Only this role"),
        ("status" = Option<OperatorStatus>, Query, description = "Only this status"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 10_000, description = "How many, 1000 unless said"),
        ("cursor" = Option<String>, Query, description = "Where the page before ended, from its Link"),
    ),
    responses(
        (status = 200, description = "Array of operators", body = Vec<Operator>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
        (status = 400, description = "A parameter is wrong or unknown", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 401, description = "No valid bearer token", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 403, description = "Not a super-admin", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 503, description = "The platform database is not available", body = ProblemDetails,
            content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_admins(reader: MayRead, mut query: QueryReader, uri: Uri) -> Result<Response> {
    let filter = OperatorFilter { role: query.take("role", str::parse), status: query.take("status", str::parse) };
    let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
    let cursor = query.take("cursor", |text| Cursor::decode(text, LIST));
    query.finish()?;
    let operators = reader.admit(super_admins::list(reader.client(), filter, cursor, limit)).await?;
    let page = Page::new(LIST, &operators, limit, |operator: &Operator| Cursor {
        created_at: operator.created_at,
        id: operator.id.0,
    })?;
    Ok(page.into_response(&uri))
}
