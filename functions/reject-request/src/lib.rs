//! The route `$default` of API Gateway: rejects requests that match no route. A path that the API has gets 405 with `Allow`,
//! any other path 404.

use std::sync::LazyLock;

use axum::{Router, http::Uri, routing::any};
use matchit::Router as Paths;
use serde_json::Value;
use shared::http::{Problem, Routes, default_deadline};
use utoipa::openapi::OpenApi;

/// The paths of the API, each with its methods for the header `Allow`.
static PATHS: LazyLock<Paths<String>> = LazyLock::new(|| read_paths(include_str!("../../../infra/openapi.json")));

/// Every path. The description of the API does not contain it.
pub fn routes() -> Routes {
    let router = Router::new().route("/", any(reject)).route("/{*path}", any(reject));
    Routes::new(router, default_deadline, OpenApi::default)
}

async fn reject(uri: Uri) -> Problem {
    match PATHS.at(uri.path()) {
        Ok(found) => Problem::method_not_allowed(found.value),
        Err(_) => Problem::unknown_path(),
    }
}

/// A test compares the document with the code, so that it is always readable.
fn read_paths(document: &str) -> Paths<String> {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let mut paths = Paths::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        let methods = methods.as_object().into_iter().flatten().map(|(method, _)| method.to_uppercase());
        if let Err(error) = paths.insert(path, methods.collect::<Vec<_>>().join(", ")) {
            tracing::error!(path, %error, "the path cannot be matched");
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_path_has_its_methods_and_others_have_none() {
        let allow = |path: &str| PATHS.at(path).ok().map(|found| found.value.as_str());
        assert_eq!(allow("/api/super-admin/tenants"), Some("GET, POST"));
        assert_eq!(allow("/api/super-admin/tenants/17"), Some("DELETE, GET, PATCH"));
        assert_eq!(allow("/api/super-admin/tenants/usage"), Some("GET"));
        for unknown in ["/", "/api/super-admin/tenants/", "/api//super-admin/tenants", "/API/super-admin/tenants"] {
            assert_eq!(allow(unknown), None, "{unknown}");
        }
    }
}
