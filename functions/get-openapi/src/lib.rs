//! `GET /api/super-admin/openapi.json`: the public description of the API in OpenAPI 3.1, which is the file
//! `infra/openapi.json`. A test compares the file with the code.

use axum::{
    extract::{FromRef, State},
    http::HeaderMap,
    response::Response,
};
use shared::{
    http::{Fixed, Routes},
    routes,
};

#[derive(Clone, FromRef)]
pub struct App {
    pub document: Fixed,
}

impl App {
    pub fn new() -> Self {
        Self { document: Fixed::new("application/json", include_str!("../../../infra/openapi.json")) }
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

pub fn routes(app: App) -> Routes {
    routes!(app: App => get_openapi)
}

/// Get this document
///
/// The description of the whole API in OpenAPI 3.1, for generating clients and for validating requests.
#[utoipa::path(
    get,
    path = "/api/super-admin/openapi.json",
    responses(
        (status = 200, description = "The document", body = Object, headers(
            ("etag" = String, description = "The version, for If-None-Match"),
            ("cache-control" = String, description = "The time in seconds for which a cache may keep it"),
        )),
        (status = 304, description = "If-None-Match contains this version"),
    ),
    security(())
)]
async fn get_openapi(headers: HeaderMap, State(document): State<Fixed>) -> Response {
    document.respond(&headers)
}
