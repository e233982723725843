//! `DELETE /api/super-admin/impersonations/{id}`: ends an impersonation at once.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRef, State},
    http::StatusCode,
};
use shared::{
    clients::{postgres::Connection, redis::Redis, tenant_databases::TenantDatabases},
    config::{ConfigError, FromEnv, QueueConfig, RedisConfig},
    error::Error,
    events::Dispatcher,
    http::{IdPath, IfMatch, Result, Routes},
    impersonations::store::record,
    revocations,
    revocations::{DenyList, EndedImpersonation},
    routes,
    super_admins::{AuthContext, MayOperate, Principal},
    tenants,
    types::ImpersonationId,
};

/// How long the tenant's own record may hold up the answer: the impersonation has ended by then.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// Who may do what, and the platform database.
    pub gate: AuthContext,
    /// The tenants' own records.
    pub databases: TenantDatabases,
    /// Denies the token.
    pub deny_list: Arc<DenyList>,
    /// Pokes the relay.
    pub dispatcher: Arc<Dispatcher>,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: AuthContext::from_env()?,
            databases: TenantDatabases::from_env()?,
            deny_list: Arc::new(DenyList::new(Redis::connect(&RedisConfig::from_env()?)?)),
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => end_impersonation)
}

/// End an impersonation
///
/// At once: the services that follow the events or the deny list refuse its token from now on. What is over stays over.
#[utoipa::path(
    delete,
    path = "/api/super-admin/impersonations/{id}",
    params(IdPath<ImpersonationId>, IfMatch),
    responses(
        (status = 204, description = "It is over, now or before"),
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
    let mut platform = app.gate.platform.get().await?;
    if let Some(ended) = end(&mut platform, &admin, id, &if_match).await? {
        let platform = &platform;
        let denied = app.deny_list.deny(platform, std::slice::from_ref(&ended));
        tokio::join!(app.dispatcher.poke_relay(), denied, record_end(&app, &ended));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Commits the end together with all that it means. What has ended or expired stays as it is.
async fn end(
    platform: &mut Connection,
    admin: &Principal,
    id: ImpersonationId,
    if_match: &IfMatch,
) -> Result<Option<EndedImpersonation>, Error> {
    let transaction = platform.transaction().await?;
    let before = revocations::store::find_for_update(&transaction, id).await?;
    if_match.check(before.revision, "impersonation")?;
    let ended = revocations::store::end(&transaction, id, admin.actor()).await?;
    transaction.commit().await?;
    Ok(ended)
}

/// Tells the tenant. A tenant whose database is down keeps no impersonation alive: its record says then how long it could
/// have lasted at the most.
async fn record_end(app: &App, ended: &EndedImpersonation) {
    let work = app.databases.within(async {
        let site = tenants::store::find_location(&app.gate.platform.get().await?, ended.tenant_id).await?;
        let (cluster, database) = site.require_active()?;
        record::end(&app.databases.get(cluster, database).await?, ended.id, ended.ended_at).await
    });
    let failure = match tokio::time::timeout(RECORD_TIMEOUT, work).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.chain(),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(impersonation.id = %ended.id, error = failure, "the tenant's record does not tell the end");
}
