//! `PATCH /api/super-admin/tenants/{id}/users/{user_id}` and `PATCH /api/super-admin/users/{id}`: change a user's name or role, deactivates or reactivates them, or sets a password
//! (JSON merge patch, RFC 7396), in the tenant's own database.

use std::sync::Arc;

use axum::extract::{FromRef, State};
use deserr::Deserr;
use shared::{
    clients::{redis::Redis, tenant_databases::TenantDatabases},
    config::{ConfigError, FromEnv, QueueConfig, RedisConfig},
    events::dispatch::Dispatcher,
    http::{
        BodyErrors, Field, IdPath, IfMatch, JsonBody, QueryParameters, QueryReader, Required, Result, Routes, Tagged,
        TenantUserPath,
    },
    query_parameters,
    revocations::live_list::LiveList,
    routes,
    super_admins::{AuthContext, MayOperate, Principal},
    types::{NewPassword, Reason, TenantId, UserId},
    users::{self, Authority, FullName, UpdateUser, User, UserRole, UserStatus},
};
use utoipa::ToSchema;

/// The stores and settings of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub databases: TenantDatabases,
    pub dispatcher: Arc<Dispatcher>,
    /// Denies the tokens of a deactivated user's impersonations.
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

/// The function's routes: one user has two addresses.
pub fn routes(app: App) -> Routes {
    let also = app.clone();
    routes!(app: App => update_user_of_tenant).also_at(routes!(also: App => update_user))
}

/// The fields to change. Absent fields stay as they are.
#[derive(Debug, Deserr, ToSchema)]
#[deserr(error = BodyErrors, deny_unknown_fields)]
struct UserPatch {
    /// Display name.
    #[deserr(default)]
    full_name: Field<FullName>,
    /// Role in the tenant. The role of the last active admin cannot change. `admin`, for a user who is none, needs the super-admin
    /// role `owner`, and a `reason`.
    #[deserr(default)]
    role: Field<UserRole>,
    /// `deactivated` frees the seat and ends the user's sessions and impersonations; `active` takes a seat again.
    #[deserr(default)]
    status: Field<UserStatus>,
    /// A new password, which is temporary: the user must replace it. It ends the user's sessions. It needs the super-admin role
    /// `owner`, and a `reason`.
    #[deserr(default)]
    password: Field<NewPassword>,
    /// Why the user is changed, in one visible line. Required for the role `admin` and for a password; then the tenant's admins
    /// can read it.
    #[deserr(default)]
    reason: Field<Reason>,
}

query_parameters! {
    #[derive(Debug, Clone, Copy)]
    struct TenantOfUser {
        /// The tenant of the user
        tenant_id: Required<TenantId>,
    }
}

/// Update a user of a tenant, by the user's id
///
/// The same as `PATCH /tenants/{id}/users/{user_id}`, with the tenant in `tenant_id`.
#[utoipa::path(
    patch,
    path = "/api/super-admin/users/{id}",
    params(IdPath<UserId>, TenantOfUser, IfMatch),
    request_body(content = UserPatch, example = json!({"full_name": "Sari Wulandari", "role": "supervisor"})),
    security(("bearer" = []))
)]
async fn update_user(
    MayOperate(admin): MayOperate,
    IdPath(user_id): IdPath<UserId>,
    query: QueryReader,
    if_match: IfMatch,
    State(app): State<App>,
    JsonBody { value: patch, .. }: JsonBody<UserPatch>,
) -> Result<Tagged<User>> {
    let TenantOfUser { tenant_id: Required(tenant_id) } = TenantOfUser::read(query)?;
    tracing::Span::current().record("tenant.id", tracing::field::display(tenant_id));
    update(&app, &admin, TenantUserPath { tenant_id, user_id }, &if_match, &patch).await
}

/// Update a user of a tenant
///
/// Changes the name, role, status or password. A deactivated user keeps their history, frees their seat, and loses their
/// sessions and impersonations. A new password ends the user's sessions too. A tenant always keeps one active admin. Only an owner
/// can grant the role `admin` or set a password, with a `reason`, which is recorded in the tenant's own database. A user whose
/// personal data were erased cannot be changed.
#[utoipa::path(
    patch,
    path = "/api/super-admin/tenants/{id}/users/{user_id}",
    params(TenantUserPath, IfMatch),
    request_body(content = UserPatch, example = json!({"full_name": "Sari Wulandari", "role": "supervisor"})),
    responses(
        (status = 200, description = "The updated user", body = User,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such tenant, or no such user in it"),
    ),
    extensions(("x-conflicts" = json!(["tenant-not-active", "tenant-schema-outdated", "tenant-not-placed", "seats-exhausted", "last-admin", "user-erased"]))),
    security(("bearer" = []))
)]
async fn update_user_of_tenant(
    MayOperate(admin): MayOperate,
    user: TenantUserPath,
    if_match: IfMatch,
    State(app): State<App>,
    JsonBody { value: patch, .. }: JsonBody<UserPatch>,
) -> Result<Tagged<User>> {
    update(&app, &admin, user, &if_match, &patch).await
}

async fn update(
    app: &App,
    admin: &Principal,
    TenantUserPath { tenant_id, user_id }: TenantUserPath,
    if_match: &IfMatch,
    patch: &UserPatch,
) -> Result<Tagged<User>> {
    let command = UpdateUser {
        authority: Authority {
            actor: admin.actor(),
            role: admin.role,
            email: admin.email.as_deref(),
            reason: patch.reason.0.as_ref(),
        },
        tenant_id,
        user_id,
        if_match,
        full_name: patch.full_name.0.as_ref(),
        role: patch.role.0,
        status: patch.status.0,
        password: patch.password.0.as_ref(),
    };
    let updated = users::update(&app.auth.platform, &app.databases, &command).await?;
    if updated.is_changed || !updated.ended.is_empty() {
        let platform = app.auth.platform.get().await?;
        tokio::join!(app.dispatcher.poke_relay(), app.live_list.deny(&platform, &updated.ended));
    }
    let revision = updated.user.revision;
    Ok(Tagged(updated.user, revision))
}
