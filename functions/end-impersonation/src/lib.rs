//! `DELETE /api/super-admin/impersonations/{id}`: ends an impersonation at once.

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    http::StatusCode,
};
use shared::{
    clients::{redis::Redis, tenant_databases::TenantDatabases},
    config::{ConfigError, FromEnv, QueueConfig, RedisConfig},
    events::dispatch::Dispatcher,
    http::{IdPath, IfMatch, Result, Routes},
    impersonations::{self, EndImpersonation, ImpersonationContext},
    revocations::live_list::LiveList,
    routes,
    super_admins::{AuthContext, MayOperate},
    types::ImpersonationId,
};

/// The stores and settings of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    /// The tenants' own records.
    pub databases: TenantDatabases,
    pub live_list: Arc<LiveList>,
    pub dispatcher: Arc<Dispatcher>,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            auth: AuthContext::from_env()?,
            databases: TenantDatabases::from_env()?,
            live_list: Arc::new(LiveList::new(Redis::connect(&RedisConfig::from_env()?)?)),
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
    routes!(app: App => end_impersonation)
}

/// End an impersonation
///
/// Takes effect at once: services that follow the events or ask Redis refuse its token from now on. Ending an
/// impersonation that has ended already changes nothing.
#[utoipa::path(
    delete,
    path = "/api/super-admin/impersonations/{id}",
    params(IdPath<ImpersonationId>, IfMatch),
    responses(
        (status = 204, description = "The impersonation has ended, now or before"),
        (status = 404, description = "No such impersonation"),
    ),
    security(("bearer" = []))
)]
async fn end_impersonation(
    MayOperate(admin): MayOperate,
    IdPath(id): IdPath<ImpersonationId>,
    if_match: IfMatch,
    State(app): State<App>,
) -> Result<StatusCode> {
    let command = EndImpersonation { actor: admin.actor(), id, if_match: &if_match };
    impersonations::end(app.context(), &command).await?;
    Ok(StatusCode::NO_CONTENT)
}
