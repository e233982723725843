//! Operations: parameters, body and responses.

use maud::{Markup, html};
use serde_json::Value;

use crate::{markdown, page::resolve, schema};

pub(crate) fn section(document: &Value, method: &str, path: &str, operation: &Value) -> Markup {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    html! {
        section class="operation" id=(text(&operation["operationId"])) {
            h3 { (text(&operation["summary"])) }
            p class="route" { span class={ "method " (method) } { (method.to_uppercase()) } " " code { (path) } }
            (markdown::block(&operation["description"]))
            @if is_open(operation) { p class="note" { "Requires no bearer token." } }
            @if operation["parameters"].as_array().is_some_and(|parameters| !parameters.is_empty()) {
                h4 { "Parameters" }
                dl { @for parameter in parameters { (one_parameter(resolve(document, parameter))) } }
            }
            @if operation["requestBody"].is_object() { (request(resolve(document, &operation["requestBody"]))) }
            h4 { "Responses" }
            dl class="responses" {
                @for (status, response) in operation["responses"].as_object().into_iter().flatten() {
                    (one_response(document, status, resolve(document, response)))
                }
            }
        }
    }
}

fn is_open(operation: &Value) -> bool {
    let alternatives = operation["security"].as_array();
    alternatives.is_some_and(|all| all.iter().all(|one| one.as_object().is_some_and(serde_json::Map::is_empty)))
}

fn one_parameter(parameter: &Value) -> Markup {
    html! {
        dt {
            code { (text(&parameter["name"])) } " "
            span class="type" { (schema::type_of(&parameter["schema"])) " in the " (text(&parameter["in"])) }
            @if parameter["required"] != Value::Bool(true) { " " span class="optional" { "optional" } }
        }
        dd {
            (markdown::inline(&parameter["description"]))
            (schema::constraints(&parameter["schema"]))
            @if !parameter["example"].is_null() { div class="constraint" { "for example " code { (text(&parameter["example"])) } } }
        }
    }
}

fn request(body: &Value) -> Markup {
    html! {
        h4 { "Body" }
        (markdown::block(&body["description"]))
        (contents(&body["content"]))
    }
}

fn one_response(document: &Value, status: &str, response: &Value) -> Markup {
    html! {
        dt { code class={ "status s" (&status[..1]) } { (status) } " " (markdown::inline(&response["description"])) }
        dd {
            @for (name, header) in response["headers"].as_object().into_iter().flatten() {
                @if name != "x-request-id" {
                    div class="constraint" {
                        code { (name) } " " (markdown::inline(&resolve(document, header)["description"]))
                    }
                }
            }
            (contents(&response["content"]))
        }
    }
}

/// The media types of a body, with their schemas and examples.
fn contents(content: &Value) -> Markup {
    html! {
        @for (media_type, content) in content.as_object().into_iter().flatten() {
            p class="content" { code { (media_type) } " " span class="type" { (schema::type_of(&content["schema"])) } }
            @for name in problem_types(&content["schema"]) { div class="constraint" { code { (text(name)) } } }
            @if !content["example"].is_null() { (example("Example", &content["example"])) }
            @for (_, one) in content["examples"].as_object().into_iter().flatten() {
                (example(text(&one["summary"]), &one["value"]))
            }
        }
    }
}

/// The types of problems in a response.
fn problem_types(schema: &Value) -> impl Iterator<Item = &Value> {
    schema["allOf"][1]["properties"]["type"]["enum"].as_array().into_iter().flatten()
}

fn example(summary: &str, value: &Value) -> Markup {
    let pretty = serde_json::to_string_pretty(value).unwrap_or_default();
    html! { details { summary { (summary) } pre { code { (pretty) } } } }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
