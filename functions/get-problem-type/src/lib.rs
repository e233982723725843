//! `GET /api/super-admin/problems/{name}`: describes a type of problem, without authentication. Its URL is the `type` of each
//! problem.

use axum::{
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use shared::{
    error::Error,
    http::{Json, Result, Routes, problem_types::ProblemType},
    routes,
};
use utoipa::ToSchema;

/// As long as `openapi.json`, which lists the same types.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The function's one route.
pub fn routes() -> Routes {
    let app = ();
    routes!(app: () => get_problem_type)
}

/// A type of problem: what has happened, and what to do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DescribedProblemType)]
struct ProblemTypeResponse {
    /// The `type` of each problem of this type: the path of this description.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "/api/super-admin/problems/slug-taken")]
    url: String,
    #[serde(flatten)]
    description: ProblemType,
}

/// Get a type of problem
///
/// Describes what a `type` of `application/problem+json` means and what a client can do.
#[utoipa::path(
    get,
    path = "/api/super-admin/problems/{name}",
    params(("name" = String, Path, description = "The last part of the problem's `type`", example = "slug-taken")),
    responses(
        (status = 200, description = "The type of problem", body = ProblemTypeResponse,
            headers(("cache-control" = String, description = "How long the description may be cached"))),
        (status = 404, description = "No such type of problem"),
    ),
    security(())
)]
async fn get_problem_type(Path(name): Path<String>) -> Result<Response> {
    let found = ProblemType::find(&name).ok_or(Error::NotFound { what: "type of problem" })?;
    let mut response = Json(ProblemTypeResponse { url: found.url(), description: *found }).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, CACHE_CONTROL);
    Ok(response)
}
