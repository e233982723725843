//! The description of the API: it matches the code, is complete, and is public.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Method, StatusCode, header};
use serde_json::Value;
use shared::{event_catalog::asyncapi, events::EventType};
use tests::{
    Api, World,
    api::{Parts, answer, routes},
    examples, is_set,
    produced_events::produce_events,
    recorded::complete_document,
    tokens,
};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("infra").join(name)
}

fn checked_in() -> Value {
    serde_json::from_str(&fs::read_to_string(file("openapi.json")).unwrap()).unwrap()
}

/// Every operation of a document, with its method and path.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let each = paths.flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    each.collect()
}

#[tokio::test]
async fn the_checked_in_documents_match_the_code() {
    let world = World::new().await;
    let document = complete_document(&world).await;
    let of_topic = asyncapi(&document).unwrap();
    for (name, text) in [
        ("openapi.json", serde_json::to_string_pretty(&document).unwrap()),
        ("asyncapi.json", serde_json::to_string_pretty(&of_topic).unwrap()),
    ] {
        let text = text + "\n";
        if is_set("UPDATE_OPENAPI") {
            fs::write(file(name), text).unwrap();
        } else if text != fs::read_to_string(file(name)).unwrap() {
            panic!("infra/{name} does not match the code; `cargo dev openapi` regenerates it");
        }
    }
}

#[tokio::test]
async fn an_event_of_each_type_is_on_the_topic_and_matches_its_description() {
    let produced: BTreeSet<String> = produce_events().await.into_keys().collect();
    let described: BTreeSet<String> = checked_in()["webhooks"].as_object().unwrap().keys().cloned().collect();
    let all: BTreeSet<String> = EventType::ALL.iter().map(|kind| kind.as_str().to_owned()).collect();
    assert_eq!(produced, all);
    assert_eq!(described, all);
}

#[tokio::test]
async fn no_two_functions_use_one_name_for_different_schemas() {
    let world = World::new().await;
    let mut named = BTreeMap::new();
    for api in routes(&Parts::of(&world)).descriptions() {
        for (name, schema) in api.components.into_iter().flat_map(|components| components.schemas) {
            let schema = serde_json::to_value(schema).unwrap();
            let first = named.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(*first, schema, "{name}");
        }
    }
    assert!(named.len() > 20, "{named:?}");
}

#[test]
fn every_operation_has_a_description_and_one_tag() {
    let document = checked_in();
    let tags: BTreeSet<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).map(Value::as_str).collect();
    let mut ids = BTreeSet::new();
    for (route, operation) in operations(&document) {
        for key in ["operationId", "summary", "description"] {
            assert!(operation[key].as_str().is_some_and(|text| !text.is_empty()), "{route} has no {key}");
        }
        assert!(ids.insert(operation["operationId"].as_str()), "{route} has the operationId of another operation");
        let own = operation["tags"].as_array().unwrap_or_else(|| panic!("{route} has no tag"));
        assert!(own.len() == 1 && tags.contains(&own[0].as_str()), "{route}: {own:?}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{route}: {parameter}");
        }
        if let Some(body) = operation.get("requestBody") {
            let content = &body["content"]["application/json"];
            assert!(content["example"].is_object(), "{route} has no example of a body");
        }
    }
}

#[test]
fn every_schema_and_every_field_has_a_description() {
    let document = checked_in();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name} has no description");
        let parts = schema["allOf"].as_array().into_iter().flatten().chain([schema]);
        for (field, property) in parts.filter_map(|part| part["properties"].as_object()).flatten() {
            // The description of a nullable reference is in its first alternative.
            let described = property["description"].is_string() || property["oneOf"][0]["description"].is_string();
            assert!(described, "{name}.{field} has no description");
        }
    }
}

#[test]
fn every_reference_has_a_target_and_every_component_is_used() {
    fn walk(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| walk(value, found));
            }
            Value::Array(array) => array.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let document = checked_in();
    let mut referred = BTreeSet::new();
    walk(&document, &mut referred);
    let mut defined = BTreeSet::new();
    for kind in ["headers", "responses", "schemas"] {
        let names = document["components"][kind].as_object().unwrap().keys();
        defined.extend(names.map(|name| format!("#/components/{kind}/{name}")));
    }
    assert_eq!(referred, defined);
}

/// They are recorded when the document is written, which checks that each example of a request is accepted.
#[test]
fn every_success_and_every_conflict_has_an_example() {
    let document = checked_in();
    for (route, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = match response["$ref"].as_str() {
                Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
                None => response,
            };
            let content = response["content"].as_object().into_iter().flatten();
            for (media_type, content) in content.filter(|(media_type, _)| media_type.ends_with("json")) {
                let is_document = ["get_openapi", "get_asyncapi"].contains(&operation["operationId"].as_str().unwrap());
                if status.starts_with('2') && !is_document {
                    assert!(!content["example"].is_null(), "{route} {status} {media_type}");
                } else if status == "409" {
                    let kinds = content.pointer("/schema/allOf/1/properties/type/enum").unwrap().as_array().unwrap();
                    for name in kinds.iter().map(|kind| kind.as_str().unwrap().rsplit('/').next().unwrap()) {
                        assert!(!content["examples"][name].is_null(), "{route} {status}: {name}");
                    }
                }
            }
        }
    }
}

/// The strings in a value, each replaced by one with a character that PostgreSQL cannot store, by JSON pointer.
fn with_null_characters(body: &Value) -> Vec<(String, Value)> {
    fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| pointers(value, &format!("{at}/{name}"), found));
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, value)| pointers(value, &format!("{at}/{index}"), found));
            }
            Value::String(_) => found.push(at.to_owned()),
            _ => {}
        }
    }
    let mut found = Vec::new();
    pointers(body, "", &mut found);
    found
        .into_iter()
        .map(|pointer| {
            let mut changed = body.clone();
            let text = changed.pointer_mut(&pointer).unwrap();
            *text = format!("{}\u{0}", text.as_str().unwrap()).into();
            (pointer, changed)
        })
        .collect()
}

#[tokio::test]
async fn a_null_character_anywhere_in_a_body_or_a_parameter_is_an_invalid_value() {
    let world = World::new().await;
    examples::furnish(&world).await;
    let api = Api::of(&world).await;
    let document = checked_in();
    let mut sent = 0;
    for example in tests::requests::of_examples(&document) {
        let request = |path: &str| api.anonymous_root(example.method.clone(), path).bearer_auth(&api.token);
        for (pointer, body) in example.body.iter().flat_map(with_null_characters) {
            let refused = answer(request(&example.path).json(&body)).await;
            assert_eq!(
                refused.status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{} {pointer}: {}",
                example.operation,
                refused.text
            );
            assert_eq!(refused.faults(), [pointer], "{}: {}", example.operation, refused.text);
            sent += 1;
        }
    }
    for (route, operation) in operations(&document) {
        let Some(path) = route.strip_prefix("get ") else { continue };
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        for name in parameters.filter(|one| one["in"] == "query").filter_map(|one| one["name"].as_str()) {
            let path = path.replace("{id}", tokens::OWNER);
            let refused =
                answer(api.anonymous_root(Method::GET, &format!("{path}?{name}=a%00b")).bearer_auth(&api.token)).await;
            assert!(refused.status.is_client_error(), "{route} {name}: {} {}", refused.status, refused.text);
            sent += 1;
        }
    }
    assert!(sent > 40, "only {sent} values were tried");
}

#[tokio::test]
async fn the_document_and_its_page_are_public_and_cacheable() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let mut request = api.anonymous(Method::GET, "/openapi.json");
    let first = answer(request).await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(first.header("cache-control"), "public, max-age=300");
    assert_eq!(first.json, checked_in());
    for path in ["/openapi.json", "/asyncapi.json", "/docs"] {
        let tag = answer(api.anonymous(Method::GET, path)).await.header("etag").to_owned();
        request = api.anonymous(Method::GET, path).header(header::IF_NONE_MATCH, &tag);
        let again = answer(request).await;
        assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
        assert_eq!(again.header("etag"), tag);
        request = api.anonymous(Method::GET, path).header(header::ACCEPT_ENCODING, "gzip");
        let compressed = answer(request).await;
        assert_eq!(compressed.header("content-encoding"), "gzip");
        assert_eq!([compressed.header("etag"), compressed.header("vary")], [tag.as_str(), "accept-encoding"]);
    }
}

/// The names of all attributes of a page's elements, in lower case.
fn attributes(page: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    // The texts of scripts and of style sheets are no elements.
    let elements = page.split("</script>").map(|part| part.split("<script>").next().unwrap());
    let elements = elements.flat_map(|part| part.split("</style>")).map(|part| part.split("<style>").next().unwrap());
    for tag in elements.flat_map(|part| part.split('<').skip(1)) {
        // Values are quoted, and contain no quotation mark.
        let unquoted: String = tag.split('>').next().unwrap().split('"').step_by(2).collect();
        let parts = unquoted.split([' ', '\n', '=']).skip(1);
        names.extend(parts.filter(|name| !name.is_empty()).map(str::to_lowercase));
    }
    names
}

#[tokio::test]
async fn the_page_shows_every_operation_and_loads_nothing() {
    let world = World::new().await;
    let api = Api::of(&world).await;
    let page = answer(api.anonymous(Method::GET, "/docs")).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let document = checked_in();
    for (route, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(page.text.contains(&format!("id=\"{id}\"")), "{route} is not on the page");
        assert!(page.text.contains(&format!("href=\"#{id}\"")), "{route} is not in the table of contents");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.text.contains(&format!("id=\"schema-{name}\"")), "{name} is not on the page");
    }
    // Every link points into the page, to the document or to a type of problem.
    let targets = page.text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    for target in targets {
        let inside = target.strip_prefix('#').is_some_and(|id| page.text.contains(&format!("id=\"{id}\"")));
        let is_own = target == "openapi.json" || target.starts_with("/api/super-admin/problems/");
        assert!(inside || is_own, "{target}");
    }
    for foreign in ["<script ", "src=", "<link", "@import", "url("] {
        let found = page.text.find(foreign).map(|at| &page.text[at..(at + 80).min(page.text.len())]);
        assert!(found.is_none(), "{found:?}");
    }
    // The policy of the page permits no such attribute.
    let attributes = attributes(&page.text);
    assert!(attributes.contains("href") && attributes.contains("id"), "{attributes:?}");
    let forbidden = attributes.iter().find(|name| *name == "style" || name.starts_with("on"));
    assert_eq!(forbidden, None, "an attribute that contains code or a style");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    // Only the style sheet and the script of the page itself are permitted.
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
        let parts: Vec<&str> = page.text.split(&format!("<{tag}>")).collect();
        assert_eq!(parts.len(), 2, "one element {tag}");
        let own = parts[1].split(&format!("</{tag}>")).next().unwrap();
        let digest = STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, own.as_bytes()));
        assert!(policy.contains(&format!("{directive} 'sha256-{digest}';")), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
}
