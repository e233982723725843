//! `POST /api/super-admin/tenants/{id}/users/{user_id}/erase`: erase the personal data of a user.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use deserr::Deserr;
use shared::{
    clients::{redis::Redis, tenant_databases::TenantDatabases},
    config::{ConfigError, FromEnv, QueueConfig, RedisConfig},
    events::dispatch::Dispatcher,
    http::{BodyErrors, IfMatch, JsonBody, Result, Routes, Tagged, TenantUserPath},
    revocations::live_list::LiveList,
    routes,
    super_admins::{AuthContext, MayAdminister},
    types::Reason,
    users::{self, Authority, EraseUser, User},
};
use utoipa::ToSchema;

/// The stores and settings of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub databases: TenantDatabases,
    pub dispatcher: Arc<Dispatcher>,
    /// Denies the tokens of the user's impersonations.
    pub live_list: Arc<LiveList>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            auth: AuthContext::from_env()?,
            databases: TenantDatabases::from_env()?,
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
            live_list: Arc::new(LiveList::new(Redis::connect(&RedisConfig::from_env()?)?)),
        })
    }
}

/// The function's route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => erase_user)
}

/// Why the personal data are erased.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct ErasureRequest {
    /// The reason, in one visible line, without personal data. The tenant's admins can read it.
    reason: Reason,
}

/// Erase the personal data of a user
///
/// Removes the name, the e-mail address and the password hash from every database of the platform, and sends the event `user.erased`,
/// so that services erase what they hold. Id, role and history stay. The user is deactivated: the seat is free, and sessions and
/// impersonations end. A tenant always keeps one active admin. This is final: the user cannot be changed any more. A repeated request returns
/// the same user.
#[utoipa::path(
    post,
    path = "/api/super-admin/tenants/{id}/users/{user_id}/erase",
    params(TenantUserPath, IfMatch),
    request_body(content = ErasureRequest, example = json!({"reason": "Request 2026-114 of the person, by their tenant"})),
    responses(
        (status = 200, description = "The user, without personal data", body = User,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such tenant, or no such user in it"),
    ),
    extensions(("x-conflicts" = json!(["tenant-not-active", "tenant-schema-outdated", "tenant-not-placed", "last-admin", "user-erased"]))),
    security(("bearer" = []))
)]
async fn erase_user(
    MayAdminister(admin): MayAdminister,
    TenantUserPath { tenant_id, user_id }: TenantUserPath,
    if_match: IfMatch,
    State(app): State<App>,
    JsonBody { value: request, .. }: JsonBody<ErasureRequest>,
) -> Result<Tagged<User>> {
    let command = EraseUser {
        authority: Authority {
            actor: admin.actor(),
            role: admin.role,
            email: admin.email.as_deref(),
            reason: Some(&request.reason),
        },
        tenant_id,
        user_id,
        if_match: &if_match,
    };
    let erased = users::erase(&app.auth.platform, &app.databases, &command).await?;
    let platform = app.auth.platform.get().await?;
    tokio::join!(app.dispatcher.poke_relay(), app.live_list.deny(&platform, &erased.ended));
    drop(platform);
    let revision = erased.user.revision;
    Ok(Tagged(erased.user, revision))
}
