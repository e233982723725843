//! `GET /api/super-admin/users`: lists the users of a tenant, from the tenant's own database.

use axum::{
    extract::{FromRef, State},
    response::Response,
};
use shared::{
    clients::tenant_databases::TenantDatabases,
    config::ConfigError,
    error::Error,
    http::{ListParameters, ListRequest, QueryReader, Required, Result, Routes},
    query_parameters, routes,
    super_admins::{AuthContext, MayRead},
    tenants,
    types::{Cursor, TenantId},
    users::{self, User, UserFilter, UsersRead},
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

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => list_users)
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
}

/// List tenant users
///
/// Lists the users of one tenant, newest first, from the tenant's own database. A user is online if a client of theirs
/// reported its presence recently. Each request is recorded in the audit log, without the text of the search.
#[utoipa::path(
    get,
    path = "/api/super-admin/users",
    params(ListRequest<TenantUserFilter>),
    responses(
        (status = 200, description = "Array of users, newest first", body = Vec<User>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
        (status = 404, description = "No such tenant"),
    ),
    extensions(("x-conflicts" = json!(["tenant-not-active", "tenant-schema-outdated", "tenant-not-placed"]))),
    security(("bearer" = []))
)]
async fn list_users(
    reader: MayRead,
    query: QueryReader,
    State(App { auth, databases }): State<App>,
) -> Result<Response> {
    // Errors in the parameters are reported only to callers who may read.
    let find_location = async {
        let request = ListRequest::<TenantUserFilter>::read(query)?;
        let Required(tenant_id) = request.filter.tenant_id;
        tracing::Span::current().record("tenant.id", tracing::field::display(tenant_id));
        let location = tenants::store::find_location(reader.client(), tenant_id).await?;
        Ok::<_, Error>((request, location))
    };
    let (principal, (request, location)) = reader.admit_principal(find_location).await?;
    drop(reader);
    let (cluster, database) = location.require_active()?;
    let list = async {
        let database = databases.get(cluster, database).await?;
        users::store::list(&database, &request.filter.users, request.cursor, request.limit).await
    };
    let users = databases.within(list).await?;
    let read = UsersRead {
        actor: principal.actor(),
        tenant_id: request.filter.tenant_id.0,
        filter: &request.filter.users,
        rows: users.len().min(request.limit.get()),
    };
    users::record_read(&auth.platform, &read).await;
    request.page(&users, |user| Cursor { created_at: user.created_at, id: user.id.0 })
}
