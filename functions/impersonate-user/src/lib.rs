//! `POST /api/super-admin/impersonations`: starts an impersonation of a tenant's user, for a limited time and with a reason.
//!
//! The response to an idempotent request is stored like any other, but without the token, because a token is never stored. A
//! repeated request gets the token signed again, with the same claims, as long as the impersonation is live.

mod request;

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    response::{IntoResponse, Response},
};
use shared::{
    clients::{redis::Redis, tenant_databases::TenantDatabases},
    config::{ConfigError, FromEnv, IdempotencyConfig, ImpersonationSigningConfig, QueueConfig, RedisConfig},
    events::dispatch::Dispatcher,
    http::{BASE_PATH, Fingerprints, IdempotencyKey, IdempotentRequest, JsonBody, Result, Routes},
    impersonations::{self, ImpersonationContext, ImpersonationSigner, StartOutcome},
    revocations::live_list::LiveList,
    routes,
    super_admins::{AuthContext, MayOperate},
};

use crate::request::{ImpersonationRequest, ImpersonationResponse, created, stored_id, with_token};

/// The stores and settings of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub fingerprints: Fingerprints,
    /// The tenants' users, and their own records.
    pub databases: TenantDatabases,
    /// A token is issued only if services can learn that its impersonation is live.
    pub live_list: Arc<LiveList>,
    pub signer: Arc<ImpersonationSigner>,
    pub dispatcher: Arc<Dispatcher>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            auth: AuthContext::from_env()?,
            fingerprints: Fingerprints::new(&IdempotencyConfig::from_env()?),
            databases: TenantDatabases::from_env()?,
            live_list: Arc::new(LiveList::new(Redis::connect(&RedisConfig::from_env()?)?)),
            signer: Arc::new(ImpersonationSigner::new(&ImpersonationSigningConfig::from_env()?)?),
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
        })
    }

    fn context(&self) -> ImpersonationContext<'_> {
        ImpersonationContext {
            platform: &self.auth.platform,
            databases: &self.databases,
            live_list: &self.live_list,
            dispatcher: &self.dispatcher,
        }
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => impersonate_user)
}

/// Impersonate a user
///
/// Returns a token for the platform's services, with which a super-admin acts as the user for some minutes. In the token,
/// `sub` is the user, `act.sub` the super-admin and `sid` the impersonation. It allows reading, unless `access` is `write`.
/// The tenant's admins can see the impersonation and its reason. This API refuses the token.
#[utoipa::path(
    post,
    path = "/api/super-admin/impersonations",
    params(IdempotencyKey),
    request_body = ImpersonationRequest,
    responses(
        (status = 201, description = "A token for the platform's services; this API never accepts it",
            body = ImpersonationResponse, headers(("location" = String, description = "The impersonation"))),
        (status = 404, description = "No such tenant, or no such user in it"),
        (status = 429, description = "The super-admin started ten impersonations in the last minute"),
    ),
    extensions(("x-conflicts" = json!(["tenant-not-active", "tenant-schema-outdated", "tenant-not-placed", "user-deactivated", "impersonation-live", "impersonation-not-live"]))),
    security(("bearer" = []))
)]
async fn impersonate_user(
    MayOperate(admin): MayOperate,
    key: IdempotencyKey,
    State(app): State<App>,
    JsonBody { value: body, bytes }: JsonBody<ImpersonationRequest>,
) -> Result<Response> {
    let route = format!("POST {BASE_PATH}/impersonations");
    let request = IdempotentRequest::new(&app.fingerprints, &admin.id, route, key, &bytes)?;
    let command = body.command(&admin);
    let respond = |impersonation: &_, user: &_| created(impersonation, user, None);
    match impersonations::start(app.context(), &app.signer, &command, &request, respond).await? {
        StartOutcome::Started(started) => {
            Ok(created(&started.impersonation, &started.user, Some(started.token)).into_response())
        }
        StartOutcome::Replayed(stored) => {
            let id = stored_id(&stored)?;
            let token = impersonations::reissue_token(app.context(), &app.signer, &command, id).await?;
            Ok(with_token(stored, token)?.again())
        }
    }
}
