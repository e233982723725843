//! `GET /api/super-admin/tenants/{id}/users` and `GET /api/super-admin/users`: list the users of a tenant, from the tenant's own
//! database.

use axum::{
    extract::{FromRef, State},
    response::Response,
};
use shared::{
    clients::tenant_databases::TenantDatabases,
    config::ConfigError,
    error::Error,
    http::{ListParameters, ListRequest, QueryReader, Required, Result, Routes, TenantPath},
    query_parameters, routes,
    super_admins::{AuthContext, MayRead},
    tenants,
    types::{Cursor, TenantId},
    users::{self, ReadScope, User, UserFilter, UsersRead},
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

/// The function's routes: one list has two addresses.
pub fn routes(app: App) -> Routes {
    let also = app.clone();
    routes!(app: App => list_users_of_tenant).also_at(routes!(also: App => list_users))
}

query_parameters! {
    /// The tenant and the filters of a list of its users.
    #[derive(Debug, Clone)]
    struct TenantUserFilter {
        /// The tenant of the users
        tenant_id: Required<TenantId>,
        users: UserFilter,
    }
}

impl ListParameters for TenantUserFilter {
    const LIST: &str = "users";
    const IS_COUNTED: bool = true;
}

/// List tenant users
///
/// The same as `GET /tenants/{id}/users`, with the tenant in `tenant_id`.
#[utoipa::path(
    get,
    path = "/api/super-admin/users",
    params(ListRequest<TenantUserFilter>),
    security(("bearer" = []))
)]
async fn list_users(reader: MayRead, query: QueryReader, State(app): State<App>) -> Result<Response> {
    let read = || {
        let request = ListRequest::<TenantUserFilter>::read(query)?;
        Ok((request.filter.tenant_id.0, request))
    };
    respond(reader, read, |filter| &filter.users, &app).await
}

/// List a tenant's users
///
/// Lists the users of one tenant, from the tenant's own database, newest first by default. The tenant may be suspended. A user
/// is online if a client of theirs reported its presence recently. Each request is recorded in the audit log, without the text of the
/// search.
#[utoipa::path(
    get,
    path = "/api/super-admin/tenants/{id}/users",
    params(TenantPath, ListRequest<UserFilter>),
    responses(
        (status = 200, description = "Array of users", body = Vec<User>, headers(
            ("link" = String, description = "The next page, RFC 8288 rel=\"next\""),
            ("x-total-count" = i64, description = "With `count=true`: the number of users on all pages"),
            ("x-total-count-relation" = String, description = "`eq` if that number is exact, `gte` if there are more"),
        )),
        (status = 404, description = "No such tenant"),
    ),
    extensions(("x-conflicts" = json!(["tenant-not-active", "tenant-schema-outdated", "tenant-not-placed"]))),
    security(("bearer" = []))
)]
async fn list_users_of_tenant(
    reader: MayRead,
    TenantPath(tenant_id): TenantPath,
    query: QueryReader,
    State(app): State<App>,
) -> Result<Response> {
    let read = || Ok((tenant_id, ListRequest::<UserFilter>::read(query)?));
    respond(reader, read, |filter| filter, &app).await
}

/// The page that `read` finds in the parameters. Their errors are reported only to callers who may read.
async fn respond<T: ListParameters>(
    reader: MayRead,
    read: impl FnOnce() -> Result<(TenantId, ListRequest<T>), Error>,
    users: impl Fn(&T) -> &UserFilter,
    App { auth, databases }: &App,
) -> Result<Response> {
    let find_location = async {
        let (tenant_id, request) = read()?;
        tracing::Span::current().record("tenant.id", tracing::field::display(tenant_id));
        let location = tenants::store::find_location(reader.client(), tenant_id).await?;
        Ok::<_, Error>((request, location))
    };
    let (principal, (request, location)) = reader.admit_principal(find_location).await?;
    drop(reader);
    let (cluster, database) = location.require_readable()?;
    let filter = users(&request.filter);
    let list = async {
        let database = databases.get(cluster, database).await?;
        let list = users::store::list(&database, filter, request.at);
        futures::future::try_join(list, request.count(users::store::count(&database, filter))).await
    };
    let (users, count) = databases.within(list).await?;
    let rows = users.len().min(request.at.limit.get());
    let read = UsersRead { actor: principal.actor(), tenant_id: location.id, scope: ReadScope::Page { filter, rows } };
    users::record_read(&auth.platform, &read).await;
    request.counted_page(&users, count, |user| Cursor { created_at: user.created_at, id: user.id.0 })
}
