//! `GET /api/super-admin/docs`: the reference of the API for people, for anyone to read. The page is made of
//! `infra/openapi.json` when the function is built, so it needs nothing from anywhere else, no script among it.

use axum::{
    extract::{FromRef, State},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use shared::{
    http::{Fixed, Routes},
    routes,
};

/// What the page may do: be styled by the one style sheet that is in it, and nothing else.
const POLICY: &str = include_str!(concat!(env!("OUT_DIR"), "/policy.txt"));

/// What the function needs.
#[derive(Clone, FromRef)]
pub struct App {
    /// The page.
    pub page: Fixed,
}

impl App {
    /// With the page of this version.
    pub fn new() -> Self {
        Self { page: Fixed::new("text/html; charset=utf-8", include_str!(concat!(env!("OUT_DIR"), "/docs.html"))) }
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

/// The function's one route.
pub fn routes(app: App) -> Routes {
    routes!(app: App => get_docs)
}

/// Get the reference
///
/// This document as a page for people.
#[utoipa::path(
    get,
    path = "/api/super-admin/docs",
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html", headers(
            ("etag" = String, description = "The version, for If-None-Match"),
            ("cache-control" = String, description = "For how many seconds it may be kept"),
            ("content-security-policy" = String, description = "Nothing is fetched, run, framed or sent"),
        )),
        (status = 304, description = "If-None-Match names this version"),
    ),
    security(())
)]
async fn get_docs(headers: HeaderMap, State(page): State<Fixed>) -> Response {
    let mut response = page.respond(&headers);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
