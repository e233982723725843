//! `POST /api/super-admin/impersonations`: act in the name of a tenant's user, for a while and with a reason.
//!
//! A start is written down in the platform database, then in the tenant's own, then confirmed in the platform's; only then is
//! a token given (module `start`). Whatever fails in between, nothing is live, and an operator can see what was tried.
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
    clients::{redis::Redis, tenant_databases::TenantDatabases},
    config::{ConfigError, FromEnv, IdempotencyConfig, ImpersonationSigningConfig, QueueConfig, RedisConfig},
    events::Dispatcher,
    http::{BASE_PATH, Fingerprints, IdempotencyKey, IdempotentRequest, JsonBody, Result, Routes},
    impersonations::ImpersonationSigner,
    revocations::DenyList,
    routes,
    super_admins::{AuthContext, MayOperate},
};

use crate::{
    request::{ImpersonationRequest, ImpersonationResponse},
    start::Start,
};

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// Who may do what, and the platform database.
    pub gate: AuthContext,
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
        Ok(Self {
            gate: AuthContext::from_env()?,
            fingerprints: Fingerprints::new(&IdempotencyConfig::from_env()?),
            databases: TenantDatabases::from_env()?,
            deny_list: Arc::new(DenyList::new(Redis::connect(&RedisConfig::from_env()?)?)),
            signer: Arc::new(ImpersonationSigner::new(&ImpersonationSigningConfig::from_env()?)?),
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => impersonate_user)
}

/// Impersonate a user
///
/// Gives a token for the platform's services, with which an operator acts in the user's name (`sub` is the user, `act.sub` the
/// operator, `sid` the impersonation), for a reason and for some minutes. It may read, unless `access` is `write`. The tenant's
/// admins are shown it. This API refuses the token.
#[utoipa::path(
    post,
    path = "/api/super-admin/impersonations",
    params(IdempotencyKey),
    request_body = ImpersonationRequest,
    responses(
        (status = 201, description = "A token for the platform's services; this API never accepts it",
            body = ImpersonationResponse, headers(("location" = String, description = "The impersonation"))),
        (status = 404, description = "No such tenant, or no such user in it"),
        (status = 409, description = "The tenant is not active, the user is deactivated, or the operator has a live impersonation of this user"),
        (status = 429, description = "The operator started ten in the last minute"),
    ),
    security(("bearer" = []))
)]
async fn impersonate_user(
    MayOperate(admin): MayOperate,
    key: IdempotencyKey,
    State(app): State<App>,
    JsonBody { value: request, bytes }: JsonBody<ImpersonationRequest>,
) -> Result<Response> {
    let claim =
        IdempotentRequest::new(&app.fingerprints, &admin.id, format!("POST {BASE_PATH}/impersonations"), key, &bytes)?;
    let start = Start { app: &app, admin: &admin, request: &request, claim: &claim };
    start.run().await
}
