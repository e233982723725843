//! Reads `infra/template.yaml`.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::manifests::repository;

/// The SAM template as plain data: `!Ref Name` and `!Sub "text"` are strings, `!If [..]` is an array.
pub fn read() -> Value {
    yaml_serde::from_str(&untagged(&fs::read_to_string(repository().join("infra/template.yaml")).unwrap())).unwrap()
}

/// The name and the properties of each function. The name is that of its package.
pub fn functions(template: &Value) -> Vec<(String, &Value)> {
    let resources = template["Resources"].as_object().unwrap().values();
    resources
        .filter(|resource| resource["Type"] == "AWS::Serverless::Function")
        .map(|resource| {
            let properties = &resource["Properties"];
            let name = properties["FunctionName"].as_str().unwrap_or_else(|| panic!("no FunctionName: {resource}"));
            (name.trim_start_matches("${AWS::StackName}-").to_owned(), properties)
        })
        .collect()
}

/// The routes of the HTTP API, each as `METHOD path function`.
pub fn routes(template: &Value) -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    for (function, properties) in functions(template) {
        for event in properties["Events"].as_object().into_iter().flat_map(serde_json::Map::values) {
            if event["Type"] == "HttpApi" && !is_default_route(event) {
                let [method, path] = ["Method", "Path"].map(|key| event["Properties"][key].as_str().unwrap());
                routes.insert(format!("{} {path} {function}", method.to_uppercase()));
            }
        }
    }
    routes
}

/// Whether an event of the HTTP API is the route `$default`: the requests that match no other route.
pub fn is_default_route(event: &Value) -> bool {
    event["Type"] == "HttpApi" && event["Properties"]["Path"].is_null()
}

/// The function behind the route `$default`.
pub fn default_function(template: &Value) -> String {
    let mut functions = functions(template).into_iter();
    let is_default = |properties: &Value| {
        properties["Events"].as_object().into_iter().flat_map(serde_json::Map::values).any(is_default_route)
    };
    functions.find(|(_, properties)| is_default(properties)).expect("no function has the route $default").0
}

/// Removes the short tags of CloudFormation, which a YAML parser does not know.
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
