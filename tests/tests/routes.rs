//! The routes are defined in three places: the code, the router of `cargo lambda watch`, and the SAM template. These tests fail
//! if a route is missing in one of them.

use std::{collections::BTreeSet, fs, path::PathBuf};

use tests::{
    World,
    api::{Parts, routes},
};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

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

fn in_the_template() -> RouteSet {
    let text = fs::read_to_string(repository().join("infra/template.yaml")).unwrap();
    let template: serde_json::Value = yaml_serde::from_str(&untagged(&text)).unwrap();
    let mut found = RouteSet::new();
    for resource in template["Resources"].as_object().unwrap().values() {
        if resource["Type"] != "AWS::Serverless::Function" {
            continue;
        }
        let function = function_name(resource);
        for event in resource["Properties"]["Events"].as_object().into_iter().flatten().map(|(_, event)| event) {
            if event["Type"] == "HttpApi" {
                let properties = &event["Properties"];
                let method = properties["Method"].as_str().unwrap().to_uppercase();
                found.insert(format!("{method} {} {function}", properties["Path"].as_str().unwrap()));
            }
        }
    }
    found
}

/// The package of a function in the template.
fn function_name(resource: &serde_json::Value) -> String {
    let name = &resource["Properties"]["FunctionName"];
    let text = name.as_str().unwrap_or_else(|| panic!("a function without a name: {resource}"));
    text.rsplit_once('}').map_or(text, |(_, name)| name.trim_start_matches('-')).to_owned()
}

/// The template without CloudFormation's short tags, which are not plain YAML.
fn untagged(text: &str) -> String {
    let mut plain = String::new();
    for line in text.lines() {
        let mut rest = line;
        while let Some(at) = rest.find('!') {
            let (before, tagged) = rest.split_at(at);
            let word = tagged[1..].chars().take_while(char::is_ascii_alphanumeric).count();
            let is_tag = word > 0 && (before.is_empty() || before.ends_with([' ', '[', ',']));
            plain.push_str(before);
            rest = if is_tag {
                &tagged[1 + word..]
            } else {
                plain.push('!');
                &tagged[1..]
            };
        }
        plain.push_str(rest);
        plain.push('\n');
    }
    plain
}

async fn in_the_code() -> BTreeSet<String> {
    let world = World::new().await;
    let api = routes(&Parts::of(&world)).describe();
    let document = serde_json::to_value(api).unwrap();
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.is_object() {
                let function = operation["operationId"].as_str().unwrap().replace('_', "-");
                found.insert(format!("{} {path} {function}", method.to_uppercase()));
            }
        }
    }
    found
}

#[tokio::test]
async fn the_code_the_watch_router_and_the_template_have_the_same_routes() {
    let code = in_the_code().await;
    assert!(code.len() >= 7, "{code:?}");
    assert_eq!(in_the_watch_router(), code);
    assert_eq!(in_the_template(), code);
}

#[test]
fn every_function_is_in_the_template() {
    let text = fs::read_to_string(repository().join("infra/template.yaml")).unwrap();
    let template: serde_json::Value = yaml_serde::from_str(&untagged(&text)).unwrap();
    let deployed: BTreeSet<String> = template["Resources"]
        .as_object()
        .unwrap()
        .values()
        .filter(|resource| resource["Type"] == "AWS::Serverless::Function")
        .map(function_name)
        .collect();
    let written: BTreeSet<String> = fs::read_dir(repository().join("functions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(deployed, written);
}
