//! The routes are defined in two places: the code and the SAM template. These tests fail if a route is missing in one of them.
//! The router of `cargo lambda watch` is generated from the template.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
};

use tests::{
    World,
    api::{Parts, routes},
    is_set,
    manifests::{DeclaredTrigger, declarations, function_of, repository},
    template,
};

/// `METHOD path function`
type RouteSet = BTreeSet<String>;

/// Where the router of `cargo lambda watch` is in Cargo.toml.
const ROUTER_START: &str = "# This table is generated: `cargo dev openapi` writes it.\n";
const ROUTER_END: &str = "# End of the generated table.\n";

/// The methods that a path may have. A router has no route for "any other method" of a path that it knows.
const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The router of `cargo lambda watch`: the routes of the template, and its route `$default` for everything else.
fn watch_router() -> String {
    let template = template::read();
    let default = template::default_function(&template);
    let mut paths = BTreeMap::<String, BTreeMap<String, String>>::new();
    for route in template::routes(&template) {
        let [method, path, function] = route.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
        // API Gateway and the router of `cargo lambda watch` write "all paths below" differently.
        let path = path.replace("{path+}", "{*path}");
        paths.entry(path).or_default().insert(method.to_owned(), function.to_owned());
    }
    let mut table = "router = [\n".to_owned();
    for (path, functions) in &paths {
        for (method, function) in functions {
            let _ = writeln!(table, r#"    {{ path = "{path}", methods = ["{method}"], function = "{function}" }},"#);
        }
        let others: Vec<_> = METHODS.iter().filter(|method| !functions.contains_key(**method)).collect();
        let _ = writeln!(table, r#"    {{ path = "{path}", methods = {others:?}, function = "{default}" }},"#);
    }
    for path in ["/", "/{*path}"] {
        let _ = writeln!(table, r#"    {{ path = "{path}", function = "{default}" }},"#);
    }
    table + "]\n"
}

#[test]
fn the_checked_in_watch_router_is_that_of_the_template() {
    let path = repository().join("Cargo.toml");
    let manifest = fs::read_to_string(&path).unwrap();
    let (before, rest) = manifest.split_once(ROUTER_START).expect("Cargo.toml: the start of the router");
    let (table, after) = rest.split_once(ROUTER_END).expect("Cargo.toml: the end of the router");
    if is_set("UPDATE_OPENAPI") {
        fs::write(path, [before, ROUTER_START, &watch_router(), ROUTER_END, after].concat()).unwrap();
    } else {
        assert_eq!(table, watch_router(), "Cargo.toml: the router is out of date; `cargo dev openapi` writes it");
    }
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
    // The pages of the console are no operations of the API.
    let pages = get_console::PATHS.map(|path| path.replace("{*path}", "{path+}"));
    found.extend(pages.map(|path| format!("GET {path} get-console")));
    found
}

/// Names the routes that are in only one of two places.
fn compare(place: &str, routes: &RouteSet, code: &RouteSet) {
    let missing: Vec<_> = code.difference(routes).collect();
    let unknown: Vec<_> = routes.difference(code).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "{place}: add {missing:#?}, remove {unknown:#?}");
}

#[tokio::test]
async fn the_code_and_the_template_have_the_same_routes() {
    let code = in_the_code().await;
    assert!(code.len() >= 7, "{code:?}");
    compare("infra/template.yaml", &template::routes(&template::read()), &code);
}

#[tokio::test]
async fn the_api_of_the_tests_contains_each_http_function() {
    let code = in_the_code().await;
    // Its routes match every path, so that the description of the API does not contain them.
    let default = template::default_function(&template::read());
    for (name, declaration) in declarations() {
        let is_mounted = name == default || code.iter().any(|route| route.ends_with(&format!(" {name}")));
        assert!(
            is_mounted || !declaration.triggers.contains(&DeclaredTrigger::Http),
            "{name} has the trigger http: add it to tests/Cargo.toml, and its routes to `routes` in tests/src/api.rs"
        );
    }
}
