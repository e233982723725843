//! Requests of every operation, from the examples of the API's description.

use reqwest::Method;
use serde_json::Value;

/// A request that its operation accepts.
#[derive(Debug, Clone)]
pub struct ExampleRequest {
    /// Its name; [`crate::manifests::function_of`] is its function.
    pub operation: String,
    pub method: Method,
    /// From the root, with the parameters that it needs.
    pub path: String,
    pub body: Option<Value>,
}

/// A request of each operation.
pub fn of_examples(document: &Value) -> Vec<ExampleRequest> {
    let mut requests = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(name) = operation["operationId"].as_str() else { continue };
            let (mut path, mut query) = (path.clone(), Vec::new());
            let parameters = operation["parameters"].as_array();
            // A deletion is confirmed by this parameter or by a precondition, which no example can contain.
            let is_sent = |parameter: &&Value| parameter["required"] == true || parameter["name"] == "confirm";
            for parameter in parameters.into_iter().flatten().filter(is_sent) {
                let (name, value) = (parameter["name"].as_str().unwrap(), example(document, parameter));
                if parameter["in"] == "path" {
                    path = path.replace(&format!("{{{name}}}"), value);
                } else {
                    query.push(format!("{name}={value}"));
                }
            }
            let body = operation.pointer("/requestBody/content/application~1json/example");
            requests.push(ExampleRequest {
                operation: name.to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) },
                body: body.cloned(),
            });
        }
    }
    requests
}

/// The example of a parameter: its own, or that of its schema.
fn example<'a>(document: &'a Value, parameter: &'a Value) -> &'a str {
    let schema = &parameter["schema"];
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    let example = parameter["example"].as_str().or(schema["examples"][0].as_str());
    example.unwrap_or_else(|| panic!("no example: {parameter}"))
}
