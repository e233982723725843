//! `POST /api/super-admin/impersonations`: act in the name of a tenant's user, for a while and with a reason.
//!
//! A start is written down in the platform database, then in the tenant's own, then confirmed in the platform's; only then is
//! a token given ([`start`]). Whatever fails in between, nothing is live, and an operator can see what was tried.
//!
//! With an `Idempotency-Key` the answer is kept as any other, but for the token, which is at rest nowhere: a request that
//! comes again gets it signed again, the same as before, as long as the impersonation is live.

mod request;
mod start;

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    response::Response,
};
use shared::{
    auth::{ImpersonationSigner, MayOperate, TokenVerifier},
    clients::{postgres::Postgres, redis::Redis, tenant_databases::TenantDatabases},
    config::{
        Clusters, ConfigError, FromEnv, IdempotencyConfig, ImpersonationSigningConfig, PostgresConfig, QueueConfig,
        RedisConfig, TokenConfig,
    },
    deny_list::DenyList,
    dispatch::Dispatcher,
    http::{BASE_PATH, Claim, Fingerprints, IdempotencyKey, JsonBody, ProblemDetails, Result},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    request::{ImpersonationRequest, ImpersonationResponse},
    start::Start,
};

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// The platform database.
    pub platform: Postgres,
    /// Verifies bearer tokens.
    pub verifier: TokenVerifier,
    /// Tells bodies with the same idempotency key apart.
    pub fingerprints: Fingerprints,
    /// The tenants' users, and their own records.
    pub databases: TenantDatabases,
    /// Where the token could be denied.
    pub deny_list: Arc<DenyList>,
    /// Signs the token.
    pub signer: Arc<ImpersonationSigner>,
    /// Pokes the relay.
    pub dispatcher: Arc<Dispatcher>,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let postgres = PostgresConfig::from_env()?;
        Ok(Self {
            platform: Postgres::connect(&postgres)?,
            verifier: TokenVerifier::new(&TokenConfig::from_env()?)?,
            fingerprints: Fingerprints::new(&IdempotencyConfig::from_env()?),
            databases: TenantDatabases::connect(&Clusters::postgres_from_env()?, &postgres)?,
            deny_list: Arc::new(DenyList::new(Redis::connect(&RedisConfig::from_env()?)?)),
            signer: Arc::new(ImpersonationSigner::new(&ImpersonationSigningConfig::from_env()?)?),
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(impersonate_user)).with_state(app)
}

/// Impersonate a user
#[utoipa::path(
    post,
    path = "/api/super-admin/impersonations",
    params(("idempotency-key" = Option<String>, Header, description = "1 to 255 visible ASCII characters, kept 24 hours")),
    request_body = ImpersonationRequest,
    responses(
        (status = 201, description = "A token for the platform's services; this API never accepts it",
            body = ImpersonationResponse, headers(("location" = String, description = "The impersonation"))),
        (status = 400, description = "The body is not JSON, or a header is wrong", body = ProblemDetails,
            content_type = "application/problem+json"),
        (status = 401, description = "No valid bearer token", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 403, description = "Not an operator, or write access and not an owner", body = ProblemDetails,
            content_type = "application/problem+json"),
        (status = 404, description = "No such tenant, or no such user in it", body = ProblemDetails,
            content_type = "application/problem+json"),
        (status = 409, description = "The tenant is not active, the user is deactivated, or the operator has a live \
            impersonation of this user", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 413, description = "The body has more than 64 KiB", body = ProblemDetails,
            content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON by its Content-Type", body = ProblemDetails,
            content_type = "application/problem+json"),
        (status = 422, description = "The body holds invalid values, all of which are named; or the Idempotency-Key was used \
            with another body", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 429, description = "The operator started ten in the last minute", body = ProblemDetails,
            content_type = "application/problem+json"),
        (status = 503, description = "The platform database, the tenant's or Redis is not available: without Redis the end of \
            an impersonation could not be told", body = ProblemDetails, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn impersonate_user(
    MayOperate(admin): MayOperate,
    key: IdempotencyKey,
    State(app): State<App>,
    JsonBody { value: request, bytes }: JsonBody<ImpersonationRequest>,
) -> Result<Response> {
    let claim = Claim::new(&app.fingerprints, &admin, format!("POST {BASE_PATH}/impersonations"), key, &bytes)?;
    let start = Start { app: &app, admin: &admin, request: &request, claim: &claim };
    start.run().await
}
