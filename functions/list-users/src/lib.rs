//! `GET /api/super-admin/users`: lists the users of a tenant, from the tenant's own database.

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

/// List tenant users
///
/// Lists the users of one tenant, newest first, from the tenant's own database. A user is online if a client of theirs
/// reported its presence recently.
#[utoipa::path(
    get,
    path = "/api/super-admin/users",
    params(
        ("tenant_id" = TenantId, Query, description = "The tenant of the users"),
        ("search" = Option<String>, Query, format = "single-line", max_length = 120,
            description = "Only users whose e-mail address or name contains this text, regardless of case"),
        ("role" = Option<UserRole>, Query, description = "Only users with this role"),
        ("status" = Option<UserStatus>, Query, description = "Only users with this status"),
        ("is_online" = Option<bool>, Query, description = "Only users who are online (`true`), or who are not (`false`)"),
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
    // Errors in the parameters are reported only to callers who may read.
    let find_location = async {
        let parameters = read(query)?;
        tracing::Span::current().record("tenant.id", tracing::field::display(parameters.tenant_id));
        let location = tenants::store::find_location(reader.client(), parameters.tenant_id).await?;
        Ok((parameters, location))
    };
    let (Parameters { filter, cursor, limit, .. }, location) = reader.admit(find_location).await?;
    drop(reader);
    let (cluster, database) = location.require_active()?;
    let list = async { users::store::list(&databases.get(cluster, database).await?, &filter, cursor, limit).await };
    let users = databases.within(list).await?;
    let page = Page::new(LIST, &users, limit, |user: &User| Cursor { created_at: user.created_at, id: user.id.0 })?;
    Ok(page.into_response(&uri))
}

struct Parameters {
    tenant_id: TenantId,
    filter: UserFilter,
    cursor: Option<Cursor>,
    limit: PageLimit,
}

fn read(mut query: QueryReader) -> Result<Parameters, Error> {
    let tenant_id = query.require("tenant_id", str::parse);
    let filter = UserFilter {
        search: query.take("search", SearchText::parse),
        role: query.take("role", str::parse),
        status: query.take("status", str::parse),
        is_online: query.take("is_online", |text| text.parse().map_err(|_| "must be true or false")),
    };
    let limit = query.take("limit", PageLimit::parse).unwrap_or_default();
    let cursor = query.take("cursor", |text| Cursor::decode(text, LIST));
    Ok(Parameters { tenant_id: query.finish_with(tenant_id)?, filter, cursor, limit })
}
