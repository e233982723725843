//! `GET /api/super-admin/docs`: the public reference of the API as a page. It is rendered from `infra/openapi.json` when the
//! function is built, and has no scripts and no external resources.

use axum::{
    extract::{FromRef, State},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use shared::{
    http::{Fixed, Routes},
    routes,
};

/// The content security policy: the page may use its own style sheet and nothing else.
const POLICY: &str = include_str!(concat!(env!("OUT_DIR"), "/policy.txt"));

#[derive(Clone, FromRef)]
pub struct App {
    pub page: Fixed,
}

impl App {
    pub fn new() -> Self {
        Self { page: Fixed::new("text/html; charset=utf-8", include_str!(concat!(env!("OUT_DIR"), "/docs.html"))) }
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

pub fn routes(app: App) -> Routes {
    routes!(app: App => get_docs)
}

/// Get the reference
///
/// This document as a page.
#[utoipa::path(
    get,
    path = "/api/super-admin/docs",
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html", headers(
            ("etag" = String, description = "The version, for If-None-Match"),
            ("cache-control" = String, description = "The time in seconds for which a cache may keep it"),
            ("content-security-policy" = String, description = "The page loads, runs and sends nothing"),
        )),
        (status = 304, description = "If-None-Match contains this version"),
    ),
    security(())
)]
async fn get_docs(headers: HeaderMap, State(page): State<Fixed>) -> Response {
    let mut response = page.respond(&headers);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
