//! `GET /console` and every path below it: the console, an application in the browser. It has no privileges of its own: it calls
//! the API on the same origin, with the token of the super-admin who signed in.
//!
//! The application is one page, so that every path that names no file gets that page. The files are embedded when the function is
//! built, already compressed. The application reads from `/console/sign-in.json` how people sign in.

mod missing;
mod provider;

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use shared::{
    config::{CodeRequestConfig, ConfigError},
    http::{Compressed, Fixed, Json, Problem, Routes, default_deadline},
};
use utoipa::openapi::OpenApi;

use self::provider::{Provider, SignInOptions};

/// The paths of the console. They are no operations of the API, so its description does not contain them.
pub const PATHS: [&str; 3] = ["/console", "/console/", "/console/{*path}"];

/// The application's page.
const PAGE: &str = "index.html";

/// The prefix of the paths of files, as in `base` and `assetsDir` of `web/vite.config.ts`.
const FILES: &str = "files/";

/// How people sign in.
const SIGN_IN: &str = "sign-in.json";

/// The page loads and calls only its own origin, contains no code and no styles of its own, and is in no frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

/// Headers of every response, beside those of all functions.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
];

/// A file of the console.
struct Embedded {
    name: &'static str,
    content_type: &'static str,
    body: &'static [u8],
    compressed: Compressed,
}

static EMBEDDED: &[Embedded] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The console, with or without an identity provider.
#[derive(Clone)]
pub struct App(Arc<Content>);

struct Content {
    /// By name.
    files: HashMap<&'static str, Fixed>,
    provider: Option<Provider>,
}

impl App {
    /// Reads the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self::new(CodeRequestConfig::from_env()?.map(Provider::try_from).transpose()?))
    }

    pub fn new(provider: Option<Provider>) -> Self {
        let fixed = |file: &'static Embedded| {
            let fixed = Fixed::compressed(file.content_type, file.body, file.compressed);
            // The names of all other files contain a digest.
            let fixed = if file.name == PAGE { fixed.always_revalidated() } else { fixed.immutable() };
            (file.name, fixed)
        };
        Self(Arc::new(Content { files: EMBEDDED.iter().map(fixed).collect(), provider }))
    }

    fn page(&self, request: &HeaderMap) -> Response {
        let page = self.0.files.get(PAGE).map_or_else(missing::page, |page| page.respond(request));
        (HEADERS, page).into_response()
    }

    fn sign_in(&self) -> Response {
        let options = SignInOptions { provider: self.0.provider.as_ref() };
        (HEADERS, [(header::CACHE_CONTROL, HeaderValue::from_static("public, no-cache"))], Json(options))
            .into_response()
    }
}

pub fn routes(app: App) -> Routes {
    let [root, slash, below] = PATHS;
    let router = Router::new().route(root, get(get_console)).route(slash, get(get_console)).route(below, get(get_file));
    let router = router.with_state(app);
    Routes::new(router, default_deadline, OpenApi::default)
}

async fn get_console(headers: HeaderMap, State(app): State<App>) -> Response {
    app.page(&headers)
}

async fn get_file(Path(path): Path<String>, headers: HeaderMap, State(app): State<App>) -> Response {
    match path.strip_prefix(FILES) {
        None if path == SIGN_IN => app.sign_in(),
        None => app.page(&headers),
        Some(name) => match app.0.files.get(name) {
            Some(file) => (HEADERS, file.respond(&headers)).into_response(),
            None => (HEADERS, Problem::unknown_path()).into_response(),
        },
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn the_policy_permits_no_other_origin_and_no_code_in_the_page() {
        let policy = POLICY.to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        for forbidden in ["unsafe", "http", "*", "data:", "blob:"] {
            assert!(!policy.contains(forbidden), "{policy}");
        }
    }

    #[tokio::test]
    async fn a_file_that_does_not_exist_is_not_found_under_the_policy_of_the_page() {
        let path = Path(format!("{FILES}index-00000000.js"));
        let response = get_file(path, HeaderMap::new(), State(App::new(None))).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        for (name, value) in HEADERS {
            assert_eq!(response.headers().get(&name), Some(&value), "{name}");
        }
    }

    #[test]
    fn a_console_that_was_not_built_is_unavailable_and_says_how_to_build_it() {
        let response = (HEADERS, missing::page()).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key(header::CONTENT_SECURITY_POLICY));
        assert!(missing::PAGE.contains("cargo dev console"));
    }
}
