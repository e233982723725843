//! The route `$default` of API Gateway: rejects requests that match no route. A path that the API has gets 405 with `Allow`,
//! any other path 404.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{Router, http::Uri, routing::any};
use matchit::Router as Paths;
use serde::{Deserialize, de::IgnoredAny};
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

fn read_paths(document: &str) -> Paths<String> {
    #[derive(Deserialize)]
    struct Document {
        paths: BTreeMap<String, BTreeMap<String, IgnoredAny>>,
    }
    let document: Document = serde_json::from_str(document).expect("a test compares openapi.json with the code");
    let mut paths = Paths::new();
    for (path, methods) in document.paths {
        let allow = methods.into_keys().map(|method| method.to_uppercase()).collect::<Vec<_>>().join(", ");
        paths.insert(path, allow).expect("the paths of the API do not overlap");
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
        assert_eq!(allow("/api/super-admin/tenants/17"), Some("GET, PATCH"));
        assert_eq!(allow("/api/super-admin/tenants/usage"), Some("GET"));
        for unknown in ["/", "/api/super-admin/tenants/", "/api//super-admin/tenants", "/API/super-admin/tenants"] {
            assert_eq!(allow(unknown), None, "{unknown}");
        }
    }
}
