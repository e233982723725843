//! `GET /api/super-admin/asyncapi.json`: the public description of the events and their Kafka topic in AsyncAPI 3.0, which is the
//! file `infra/asyncapi.json`. A test compares the file with the code.

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
        Self { document: Fixed::new("application/json", include_str!("../../../infra/asyncapi.json")) }
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

pub fn routes(app: App) -> Routes {
    routes!(app: App => get_asyncapi)
}

/// Get the description of the events
///
/// The description of the events and of their Kafka topic in AsyncAPI 3.0, for services that follow them.
#[utoipa::path(
    get,
    path = "/api/super-admin/asyncapi.json",
    responses(
        (status = 200, description = "The document", body = Object, headers(
            ("etag" = String, description = "The version, for If-None-Match"),
            ("cache-control" = String, description = "The time in seconds for which a cache may keep it"),
        )),
        (status = 304, description = "If-None-Match contains this version"),
    ),
    security(())
)]
async fn get_asyncapi(headers: HeaderMap, State(document): State<Fixed>) -> Response {
    document.respond(&headers)
}
