//! `GET /api/super-admin/users`: the users of a tenant, newest first, a page at a time. They are in the tenant's own database.

use axum::{
    extract::{FromRef, State},
    http::Uri,
    response::Response,
};
use shared::{
    clients::tenant_databases::TenantDatabases,
    config::ConfigError,
    error::Error,
    http::{Page, Paging, QueryReader, Result, Routes},
    routes,
    super_admins::{AuthContext, MayRead},
    tenants,
    types::{Cursor, PageLimit, SearchText, TenantId},
    users::{self, User, UserRole, UserStatus, store::UserFilter},
};

/// The name of the list inside its cursors.
const LIST: &str = "users";

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// Who may do what, and the platform database.
    pub gate: AuthContext,
    /// The databases of tenants.
    pub databases: TenantDatabases,
}

impl App {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self { gate: AuthContext::from_env()?, databases: TenantDatabases::from_env()? })
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => list_users)
}

/// List tenant users
///
/// The agents of one tenant, from the tenant's own database. Online is who was there within the last moments.
#[utoipa::path(
    get,
    path = "/api/super-admin/users",
    params(
        ("tenant_id" = TenantId, Query, description = "Whose users"),
        ("search" = Option<String>, Query, format = "single-line", max_length = 120,
            description = "Only where this is in the e-mail address or the name, without regard to case"),
        ("role" = Option<UserRole>, Query, description = "Only this role"),
        ("status" = Option<UserStatus>, Query, description = "Only this status"),
        ("is_online" = Option<bool>, Query, description = "Only those that are online, or only the others"),
        Paging,
    ),
    responses(
        (status = 200, description = "Array of users, newest first", body = Vec<User>,
            headers(("link" = String, description = "The next page, RFC 8288 rel=\"next\""))),
        (status = 404, description = "No such tenant"),
        (status = 409, description = "The tenant is not active"),
    ),
    security(("bearer" = []))
)]
async fn list_users(
    reader: MayRead,
    query: QueryReader,
    uri: Uri,
    State(databases): State<TenantDatabases>,
) -> Result<Response> {
    // What is wrong with the question is for those alone who may ask.
    let look = async {
        let wanted = read(query)?;
        tracing::Span::current().record("tenant.id", tracing::field::display(wanted.tenant_id));
        let site = tenants::store::find_location(reader.client(), wanted.tenant_id).await?;
        Ok((wanted, site))
    };
    let (Wanted { filter, cursor, limit, .. }, site) = reader.admit(look).await?;
    drop(reader);
    let (cluster, database) = site.require_active()?;
    let look = async { users::store::list(&databases.get(cluster, database).await?, &filter, cursor, limit).await };
    let users = databases.within(look).await?;
    let page = Page::new(LIST, &users, limit, |user: &User| Cursor { created_at: user.created_at, id: user.id.0 })?;
    Ok(page.into_response(&uri))
}

struct Wanted {
    tenant_id: TenantId,
    filter: UserFilter,
    cursor: Option<Cursor>,
    limit: PageLimit,
}

fn read(mut query: QueryReader) -> Result<Wanted, Error> {
    let tenant_id = query.require("tenant_id", str::parse);
    let filter = UserFilter {
        search: query.take("search", SearchText::parse),
        role: query.take("role", str::parse),
        status: query.take("status", str::parse),
        is_online: query.take("is_online", |text| text.parse().map_err(|_| "must be true or false")),
    };
    let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
    let cursor = query.take("cursor", |text| Cursor::decode(text, LIST));
    Ok(Wanted { tenant_id: query.finish_with(tenant_id)?, filter, cursor, limit })
}
