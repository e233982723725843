//! The routes are defined in three places: the code, the router of `cargo lambda watch`, and the SAM template. These tests fail
//! if a route is missing in one of them.

use std::{collections::BTreeSet, fs};

use tests::{
    World,
    api::{Parts, routes},
    manifests::{DeclaredTrigger, declarations, function_of, repository},
    template,
};

/// `METHOD path function`
type RouteSet = BTreeSet<String>;

fn in_the_watch_router() -> RouteSet {
    let manifest: toml::Table = fs::read_to_string(repository().join("Cargo.toml")).unwrap().parse().unwrap();
    let router = &manifest["workspace"]["metadata"]["lambda"]["watch"]["router"];
    let mut found = RouteSet::new();
    for (path, entries) in router.as_table().unwrap() {
        for entry in entries.as_array().unwrap() {
            let (method, function) = (entry["method"].as_str().unwrap(), entry["function"].as_str().unwrap());
            found.insert(format!("{method} {path} {function}"));
        }
    }
    found
}

async fn in_the_code() -> BTreeSet<String> {
    let world = World::new().await;
    let api = routes(&Parts::of(&world)).describe();
    let document = serde_json::to_value(api).unwrap();
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.is_object() {
                let function = function_of(operation["operationId"].as_str().unwrap());
                found.insert(format!("{} {path} {function}", method.to_uppercase()));
            }
        }
    }
    found
}

/// Names the routes that are in only one of two places.
fn compare(place: &str, routes: &RouteSet, code: &RouteSet) {
    let missing: Vec<_> = code.difference(routes).collect();
    let unknown: Vec<_> = routes.difference(code).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "{place}: add {missing:#?}, remove {unknown:#?}");
}

#[tokio::test]
async fn the_code_the_watch_router_and_the_template_have_the_same_routes() {
    let code = in_the_code().await;
    assert!(code.len() >= 7, "{code:?}");
    compare("Cargo.toml, [workspace.metadata.lambda.watch.router]", &in_the_watch_router(), &code);
    compare("infra/template.yaml", &template::routes(&template::read()), &code);
}

#[tokio::test]
async fn the_api_of_the_tests_contains_each_http_function() {
    let code = in_the_code().await;
    for (name, declaration) in declarations() {
        let is_mounted = code.iter().any(|route| route.ends_with(&format!(" {name}")));
        assert!(
            is_mounted || !declaration.triggers.contains(&DeclaredTrigger::Http),
            "{name} has the trigger http: add it to tests/Cargo.toml, and its routes to `routes` in tests/src/api.rs"
        );
    }
}
