//! `GET /api/super-admin/openapi.json`: the whole API described in OpenAPI 3.1, for anyone. It is the file
//! `infra/openapi.json`, which a test compares with the code.

use axum::{
    extract::{FromRef, State},
    http::HeaderMap,
    response::Response,
};
use shared::{
    http::{Fixed, Routes},
    routes,
};

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// The document.
    pub document: Fixed,
}

impl App {
    /// With the document of this version.
    pub fn new() -> Self {
        Self { document: Fixed::new("application/json", include_str!("../../../infra/openapi.json")) }
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => get_openapi)
}

/// Get this document
///
/// The whole API in OpenAPI 3.1, for programs: clients can be generated from it, and requests checked against it.
#[utoipa::path(
    get,
    path = "/api/super-admin/openapi.json",
    responses(
        (status = 200, description = "The document", body = Object, headers(
            ("etag" = String, description = "The version, for If-None-Match"),
            ("cache-control" = String, description = "For how many seconds it may be kept"),
        )),
        (status = 304, description = "If-None-Match names this version"),
    ),
    security(())
)]
async fn get_openapi(headers: HeaderMap, State(document): State<Fixed>) -> Response {
    document.respond(&headers)
}
