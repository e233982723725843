//! `GET /api/super-admin/users/search`: find a person in every tenant, by e-mail address or name.

use axum::{extract::State, response::Response};
use shared::{
    error::Error,
    http::{ListRequest, QueryReader, Result, Routes},
    routes,
    super_admins::{AuthContext, MayRead},
    types::Cursor,
    user_search::{self, FoundUser, UserSearchFilter},
    users,
};

/// The function's one route.
pub fn routes(auth: AuthContext) -> Routes {
    routes!(auth: AuthContext => search_users)
}

/// Search the users of all tenants
///
/// Finds a person in every tenant that has databases, also in suspended ones, newest first by default. The platform keeps a directory
/// for it, which follows each change of a user that is made here. A change that a service of the platform makes in a tenant's
/// own database follows with the tenant's next measurement. Each request is recorded in the audit log, without the text of the search.
#[utoipa::path(
    get,
    path = "/api/super-admin/users/search",
    params(ListRequest<UserSearchFilter>),
    responses(
        (status = 200, description = "Array of users, each with its tenant", body = Vec<FoundUser>, headers(
            ("link" = String, description = "The next page, RFC 8288 rel=\"next\""),
            ("x-total-count" = i64, description = "With `count=true`: the number of users on all pages"),
            ("x-total-count-relation" = String, description = "`eq` if that number is exact, `gte` if there are more"),
        )),
    ),
    security(("bearer" = []))
)]
async fn search_users(reader: MayRead, query: QueryReader, State(auth): State<AuthContext>) -> Result<Response> {
    // Errors of the parameters are reported only to callers who may read.
    let search = async {
        let request = ListRequest::<UserSearchFilter>::read(query)?;
        let found = user_search::store::list(reader.client(), &request.filter, request.at).await?;
        let count = request.count(user_search::store::count(reader.client(), &request.filter)).await?;
        Ok::<_, Error>((request, found, count))
    };
    let (principal, (request, found, count)) = reader.admit_principal(search).await?;
    drop(reader);
    let filter = &request.filter;
    let rows = found.len().min(request.at.limit.get());
    users::record(&auth.platform, &user_search::audit_entry(principal.actor(), filter, rows)).await;
    request.counted_page(&found, count, |one| Cursor { created_at: one.created_at, id: one.user.id.0 })
}
