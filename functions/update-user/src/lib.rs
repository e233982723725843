//! `PATCH /api/super-admin/users/{id}`: change a user's name or role, deactivate or reactivate, reset the password (JSON
//! merge patch, RFC 7396). In the tenant's own database.

mod patch;

use std::sync::Arc;

use axum::{
    extract::{FromRef, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use shared::{
    audit::{AuditEntry, AuditedChange},
    clients::{postgres::Connection, redis::Redis, tenant_databases::TenantDatabases},
    config::{ConfigError, FromEnv, QueueConfig, RedisConfig},
    error::Error,
    events::{self, Dispatcher},
    http::{IdPath, IfMatch, JsonBody, QueryReader, Result, Routes, etag},
    impersonations::store::record,
    passwords, revocations,
    revocations::DenyList,
    routes,
    super_admins::{AuthContext, MayOperate, Principal},
    tenants::{self, store::TenantLocation},
    types::{TenantId, UserId},
    users::{self, User, UserStatus},
};

use crate::patch::{UserPatch, kinds, shown};

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// Who may do what, and the platform database.
    pub gate: AuthContext,
    /// The databases of tenants.
    pub databases: TenantDatabases,
    /// Pokes the relay after a change.
    pub dispatcher: Arc<Dispatcher>,
    /// Denies the tokens of those who act in a deactivated user's name.
    pub deny_list: Arc<DenyList>,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            gate: AuthContext::from_env()?,
            databases: TenantDatabases::from_env()?,
            dispatcher: Arc::new(Dispatcher::new(QueueConfig::from_env()?)),
            deny_list: Arc::new(DenyList::new(Redis::connect(&RedisConfig::from_env()?)?)),
        })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => update_user)
}

/// Change a user of a tenant
///
/// Name, role, status and password, each on its own. To deactivate a user keeps the history, frees the seat, and ends every
/// session and impersonation; to set a password ends the sessions too. A tenant keeps one active admin.
#[utoipa::path(
    patch,
    path = "/api/super-admin/users/{id}",
    params(
        IdPath<UserId>,
        ("tenant_id" = TenantId, Query, description = "Whose user"),
        IfMatch,
    ),
    request_body(content = UserPatch, example = json!({"full_name": "Sari Wulandari", "role": "supervisor"})),
    responses(
        (status = 200, description = "The user as changed", body = User,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such tenant, or no such user of it"),
        (status = 409, description = "The tenant is not active, its seats are taken, or it would be left without an active admin"),
    ),
    security(("bearer" = []))
)]
async fn update_user(
    MayOperate(admin): MayOperate,
    IdPath(id): IdPath<UserId>,
    mut query: QueryReader,
    if_match: IfMatch,
    State(app): State<App>,
    JsonBody { value: patch, .. }: JsonBody<UserPatch>,
) -> Result<Response> {
    let tenant_id = query.require("tenant_id", str::parse::<TenantId>);
    let tenant_id = query.finish_with(tenant_id)?;
    tracing::Span::current().record("tenant.id", tracing::field::display(tenant_id));
    let site = tenants::store::find_location(&app.gate.platform.get().await?, tenant_id).await?;
    let now = app.databases.within(find(&app.databases, &site, id)).await?;
    if_match.check(now.revision, "user")?;
    let user = if patch.changes(&now) {
        patch.refuse_guessable(&now)?;
        let changed = change(&app, &admin, &site, id, &if_match, &patch).await?;
        app.dispatcher.poke_relay().await;
        changed
    } else {
        now
    };
    if patch.deactivates() {
        end_impersonations(&app, &admin, tenant_id, id).await?;
    }
    let body = serde_json::to_vec(&user).map_err(Error::internal)?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json), (header::ETAG, etag(user.revision))], body).into_response())
}

async fn find(databases: &TenantDatabases, site: &TenantLocation, id: UserId) -> Result<User, Error> {
    let (cluster, database) = site.require_active()?;
    users::store::find(&databases.get(cluster, database).await?, id).await
}

/// Writes the intent down, makes the change, and then tells it: the events and the outcome commit together.
async fn change(
    app: &App,
    admin: &Principal,
    site: &TenantLocation,
    id: UserId,
    if_match: &IfMatch,
    patch: &UserPatch,
) -> Result<User, Error> {
    let password_hash = match &patch.password.0 {
        Some(password) => Some(passwords::hash(password.expose()).await?),
        None => None,
    };
    let mut platform = app.gate.platform.get().await?;
    let details = json!({ "user_id": id, "wanted": patch.shown() });
    let entry = AuditEntry::done(admin.actor(), "user.update", site.id, details);
    let change = AuditedChange::intend(&platform, entry).await?;
    let update = update(&app.databases, site, id, if_match, patch, password_hash.as_deref(), &change);
    let (before, after) = match app.databases.within(update).await {
        Ok(changed) => changed,
        Err(error) => {
            change.fail(&platform, &error).await;
            return Err(error);
        }
    };
    tell(&mut platform, site.id, patch, (&before, &after), change).await?;
    Ok(after)
}

/// The user before and after.
async fn update(
    databases: &TenantDatabases,
    site: &TenantLocation,
    id: UserId,
    if_match: &IfMatch,
    patch: &UserPatch,
    password_hash: Option<&str>,
    change: &AuditedChange<'_>,
) -> Result<(User, User), Error> {
    let (cluster, database) = site.require_active()?;
    let mut connection = databases.get(cluster, database).await?;
    let transaction = connection.transaction().await?;
    users::store::lock(&transaction).await?;
    let before = users::store::find_for_update(&transaction, id).await?;
    if_match.check(before.revision, "user")?;
    let wanted = patch.apply(&before, password_hash);
    if before.is_active_admin() && !wanted.is_active_admin() {
        users::store::require_admin(&transaction, id).await?;
    }
    if wanted.takes_seat(before.status) {
        users::store::require_seat(&transaction, site.limits.max_agents).await?;
    }
    let after = users::store::update(&transaction, id, &wanted).await?;
    if after.status == UserStatus::Deactivated {
        record::end_of_user(&transaction, id).await?;
    }
    change.commit(transaction).await?;
    Ok((before, after))
}

/// All that hangs on a change, in the platform database.
async fn tell(
    platform: &mut Connection,
    tenant_id: TenantId,
    patch: &UserPatch,
    (before, after): (&User, &User),
    change: AuditedChange<'_>,
) -> Result<(), Error> {
    let transaction = platform.transaction().await?;
    // Whoever writes events of a tenant holds its row.
    tenants::store::find_for_update(&transaction, tenant_id).await?;
    let password_reset = patch.password.0.is_some();
    for kind in kinds(before, after, password_reset) {
        events::store::enqueue_event(&transaction, &kind.of(tenant_id, after)).await?;
    }
    let details = json!({
        "user_id": after.id, "before": shown(before), "after": shown(after), "password_reset": password_reset,
    });
    change.complete(&transaction, details).await?;
    transaction.commit().await?;
    Ok(())
}

/// Nobody acts in the name of a user who may not work, from when they are deactivated in the tenant's own database. Whoever
/// asks again, after something was cut off, gets what is missing.
async fn end_impersonations(app: &App, admin: &Principal, tenant_id: TenantId, id: UserId) -> Result<(), Error> {
    let mut platform = app.gate.platform.get().await?;
    let transaction = platform.transaction().await?;
    let ended = revocations::store::end_of_user(&transaction, tenant_id, id, admin.actor()).await?;
    transaction.commit().await?;
    if !ended.is_empty() {
        tokio::join!(app.dispatcher.poke_relay(), app.deny_list.deny(&platform, &ended));
    }
    Ok(())
}
