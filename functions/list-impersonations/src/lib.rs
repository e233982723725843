//! `GET /api/super-admin/impersonations`: who acted in whose name, newest first, a page at a time.

use axum::{extract::FromRef, http::Uri, response::Response};
use shared::{
    auth::{MayRead, TokenVerifier},
    clients::postgres::Postgres,
    config::{ConfigError, FromEnv, PostgresConfig, TokenConfig},
    domain::{AgentId, Cursor, Impersonation, PageLimit, TenantId, parse_audit_name},
    error::Error,
    http::{Page, ProblemDetails, QueryReader, Result},
    store::impersonations::{self, ImpersonationFilter},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The name of the list inside its cursors.
const LIST: &str = "impersonations";

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
    OpenApiRouter::new().routes(routes!(list_impersonations)).with_state(app)
}

/// List impersonations
#[utoipa::path(
    get,
    path = "/api/super-admin/impersonations",
    params(
        ("tenant_id" = Option<uuid::Uuid>, Query, description = "Only of this tenant"),
        ("admin_id" = Option<String>, Query, description = "Only by this operator"),
        ("user_id" = Option<uuid::Uuid>, Query, description = "Only in the name of this user"),
        ("live" = Option<bool>, Query, description = "Only those that are live, or that are not"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 10_000, description = "How many, 1000 unless said"),
        ("cursor" = Option<String>, Query, description = "Where the page before ended, from its Link"),
    ),
    responses(
        (status = 200, description = "Array of impersonations, newest first", body = Vec<Impersonation>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
        (status = 400, description = "A parameter is wrong or unknown", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 401, description = "No valid bearer token", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 403, description = "Not a super-admin", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 503, description = "The platform database is not available", body = ProblemDetails,
            content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_impersonations(reader: MayRead, query: QueryReader, uri: Uri) -> Result<Response> {
    let (filter, cursor, limit) = read(query)?;
    let found = reader.admit(impersonations::list(reader.client(), &filter, cursor, limit)).await?;
    let page =
        Page::new(LIST, &found, limit, |one: &Impersonation| Cursor { created_at: one.started_at, id: one.id.0 })?;
    Ok(page.into_response(&uri))
}

fn read(mut query: QueryReader) -> Result<(ImpersonationFilter, Option<Cursor>, PageLimit), Error> {
    let filter = ImpersonationFilter {
        tenant_id: query.take("tenant_id", str::parse::<TenantId>),
        admin_id: query.take("admin_id", parse_audit_name),
        user_id: query.take("user_id", str::parse::<AgentId>),
        live: query.take("live", str::parse),
    };
    let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
    let cursor = query.take("cursor", |text| Cursor::decode(text, LIST));
    query.finish()?;
    Ok((filter, cursor, limit))
}
