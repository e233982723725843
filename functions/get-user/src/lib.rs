//! `GET /api/super-admin/tenants/{id}/users/{user_id}` and `GET /api/super-admin/users/{id}`: get one user of a tenant, from the
//! tenant's own database.

use axum::extract::{FromRef, State};
use shared::{
    clients::tenant_databases::TenantDatabases,
    config::ConfigError,
    error::Error,
    http::{IdPath, QueryParameters, QueryReader, Required, Result, Routes, Tagged, TenantUserPath},
    query_parameters, routes,
    super_admins::{AuthContext, MayRead},
    tenants,
    types::{TenantId, UserId},
    users::{self, ReadScope, User, UsersRead},
};

/// The stores and settings of the function.
#[derive(Clone, FromRef)]
pub struct App {
    pub auth: AuthContext,
    pub databases: TenantDatabases,
}

impl App {
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { auth: AuthContext::from_env()?, databases: TenantDatabases::from_env()? })
    }
}

/// The function's routes: one user has two addresses.
pub fn routes(app: App) -> Routes {
    let also = app.clone();
    routes!(app: App => get_user_of_tenant).also_at(routes!(also: App => get_user))
}

query_parameters! {
    #[derive(Debug, Clone, Copy)]
    struct TenantOfUser {
        /// The tenant of the user
        tenant_id: Required<TenantId>,
    }
}

/// Get a user of a tenant, by the user's id
///
/// The same as `GET /tenants/{id}/users/{user_id}`, with the tenant in `tenant_id`.
#[utoipa::path(
    get,
    path = "/api/super-admin/users/{id}",
    params(IdPath<UserId>, TenantOfUser),
    security(("bearer" = []))
)]
async fn get_user(
    reader: MayRead,
    IdPath(user_id): IdPath<UserId>,
    query: QueryReader,
    State(app): State<App>,
) -> Result<Tagged<User>> {
    // Errors in the parameters are reported only to callers who may read.
    let tenant = async { TenantOfUser::read(query).map(|TenantOfUser { tenant_id: Required(tenant_id) }| tenant_id) };
    find(reader, tenant, user_id, &app).await
}

/// Get a user of a tenant
///
/// Reads the user from the tenant's own database. The tenant may be suspended. Each request is recorded in the audit log.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/{id}/users/{user_id}",
    params(TenantUserPath),
    responses(
        (status = 200, description = "The user", body = User,
            headers(("etag" = String, description = "The revision, for If-Match"))),
        (status = 404, description = "No such tenant, or no such user in it"),
    ),
    extensions(("x-conflicts" = json!(["tenant-not-active", "tenant-schema-outdated", "tenant-not-placed"]))),
    security(("bearer" = []))
)]
async fn get_user_of_tenant(
    reader: MayRead,
    TenantUserPath { tenant_id, user_id }: TenantUserPath,
    State(app): State<App>,
) -> Result<Tagged<User>> {
    find(reader, async { Ok(tenant_id) }, user_id, &app).await
}

async fn find(
    reader: MayRead,
    tenant: impl Future<Output = Result<TenantId, Error>>,
    user_id: UserId,
    App { auth, databases }: &App,
) -> Result<Tagged<User>> {
    let find_location = async {
        let tenant_id = tenant.await?;
        tracing::Span::current().record("tenant.id", tracing::field::display(tenant_id));
        tenants::store::find_location(reader.client(), tenant_id).await
    };
    let (principal, location) = reader.admit_principal(find_location).await?;
    drop(reader);
    let (cluster, database) = location.require_readable()?;
    let user =
        databases.within(async { users::store::find(&databases.get(cluster, database).await?, user_id).await }).await?;
    let read = UsersRead { actor: principal.actor(), tenant_id: location.id, scope: ReadScope::One(user_id) };
    users::record_read(&auth.platform, &read).await;
    let revision = user.revision;
    Ok(Tagged(user, revision))
}
