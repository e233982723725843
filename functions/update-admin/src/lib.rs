//! `PATCH /api/super-admin/admins/{id}`: an owner changes a super-admin's role, disables or enables the super-admin, or sets
//! another password (JSON merge patch, RFC 7396). The change has an effect at once, because each request reads the caller's
//! current state.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use deserr::Deserr;
use shared::{
    clients::redis::Redis,
    config::{ConfigError, FromEnv, QueueConfig, RedisConfig},
    events::dispatch::Dispatcher,
    http::{BodyErrors, Field, IdPath, IfMatch, JsonBody, Result, Routes, Tagged},
    revocations::live_list::LiveList,
    routes,
    super_admins::{
        self, AuthContext, MayAdminister, SuperAdmin, SuperAdminStatus, UpdateSuperAdmin, UpdatedSuperAdmin,
    },
    types::{NewPassword, SuperAdminId, SuperAdminRole},
};
use utoipa::ToSchema;

#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub live_list: Arc<LiveList>,
    pub dispatcher: Arc<Dispatcher>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            auth: AuthContext::from_env()?,
            live_list: Arc::new(LiveList::new(Redis::connect(&RedisConfig::from_env()?)?)),
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
        })
    }
}

pub fn routes(app: App) -> Routes {
    routes!(app: App => update_admin)
}

/// Changes of a super-admin. Absent fields stay as they are.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct OperatorPatch {
    /// What the super-admin may do. A lower role ends the super-admin's impersonations.
    #[deserr(default)]
    role: Field<SuperAdminRole>,
    /// `disabled` ends the super-admin's sessions and impersonations.
    #[deserr(default)]
    status: Field<SuperAdminStatus>,
    /// A new password for another super-admin, who must replace it after signing in. It ends their sessions. Your own is changed by `POST /auth/change-password`.
    #[deserr(default)]
    password: Field<NewPassword>,
}

/// Change a super-admin
///
/// The change has an effect at once, also on tokens that were issued before. Owners cannot change their own role or status,
/// and the last active owner cannot be demoted or disabled.
#[utoipa::path(
    patch,
    path = "/api/super-admin/admins/{id}",
    params(IdPath<SuperAdminId>, IfMatch),
    request_body(content = OperatorPatch, example = json!({"role": "viewer"})),
    responses(
        (status = 200, description = "The updated super-admin", body = SuperAdmin,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 403, description = "The caller is not an `owner`; or the password is the caller's own, which only `POST /auth/change-password` changes; or the role or the status is the caller's own"),
        (status = 404, description = "No such super-admin"),
    ),
    extensions(("x-conflicts" = json!(["last-owner", "no-password"]))),
    security(("bearer" = []))
)]
async fn update_admin(
    MayAdminister(principal): MayAdminister,
    IdPath(id): IdPath<SuperAdminId>,
    if_match: IfMatch,
    State(app): State<App>,
    JsonBody { value: patch, .. }: JsonBody<OperatorPatch>,
) -> Result<Tagged<SuperAdmin>> {
    let command = UpdateSuperAdmin {
        actor: principal.actor(),
        id,
        if_match: &if_match,
        role: patch.role.0,
        status: patch.status.0,
        password: patch.password.0.as_ref(),
    };
    let UpdatedSuperAdmin { super_admin, ended_impersonations } =
        super_admins::update(&app.auth.platform, &command).await?;
    if !ended_impersonations.is_empty() {
        let platform = app.auth.platform.get().await?;
        tokio::join!(app.dispatcher.poke_relay(), app.live_list.deny(&platform, &ended_impersonations));
    }
    let revision = super_admin.revision;
    Ok(Tagged(super_admin, revision))
}
