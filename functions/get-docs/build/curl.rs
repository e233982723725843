//! The command that sends the example of an operation.

use serde_json::Value;

use crate::page::{is_open, resolve};

/// The command, for a POSIX shell. `$API` is the address of the API, and `$TOKEN` a bearer token.
pub(crate) fn command(document: &Value, method: &str, path: &str, operation: &Value) -> String {
    let mut lines = vec![format!("curl \"$API{}\"", url(document, path, operation))];
    if method != "get" {
        lines.push(format!("--request {}", method.to_uppercase()));
    }
    if !is_open(operation) {
        lines.push("--header \"Authorization: Bearer $TOKEN\"".to_owned());
    }
    if let Some(body) = operation.pointer("/requestBody/content/application~1json/example") {
        // curl sends a body as a form unless its type is given.
        lines.push("--header \"Content-Type: application/json\"".to_owned());
        lines.push(format!("--data {}", quoted(&serde_json::to_string_pretty(body).unwrap_or_default())));
    }
    lines.join(" \\\n  ")
}

/// The path and the parameters that it needs, with the values of their examples.
fn url(document: &Value, path: &str, operation: &Value) -> String {
    let (mut path, mut query) = (path.to_owned(), Vec::new());
    let parameters = operation["parameters"].as_array().into_iter().flatten().map(|one| resolve(document, one));
    // A deletion is confirmed by this parameter or by a precondition, which no example can contain.
    let is_sent = |parameter: &&Value| parameter["required"] == true || parameter["name"] == "confirm";
    for parameter in parameters.filter(is_sent) {
        let schema = resolve(document, &parameter["schema"]);
        let name = parameter["name"].as_str().unwrap_or_default();
        let value = parameter["example"].as_str().or(schema["examples"][0].as_str()).unwrap_or(name);
        if parameter["in"] == "path" {
            path = path.replace(&format!("{{{name}}}"), value);
        } else {
            query.push(format!("{name}={value}"));
        }
    }
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}

/// Text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
