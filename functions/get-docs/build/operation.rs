//! Operations: parameters, body and responses.

use maud::{Markup, html};
use serde_json::Value;

use crate::{
    curl, markdown,
    page::{anchor, is_open, resolve},
    schema,
};

pub(crate) fn section(document: &Value, method: &str, path: &str, operation: &Value) -> Markup {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let (id, summary) = (text(&operation["operationId"]), text(&operation["summary"]));
    let command = curl::command(document, method, path, operation);
    html! {
        section class="operation" id=(id) data-search={ (summary) " · " (method.to_uppercase()) " " (path) } {
            h3 { (summary) (anchor(id, summary)) }
            p class="route" { span class={ "method " (method) } { (method.to_uppercase()) } " " code { (path) } }
            (markdown::block(&operation["description"]))
            @if is_open(operation) { p class="note" { "Requires no bearer token." } }
            @if operation["parameters"].as_array().is_some_and(|parameters| !parameters.is_empty()) {
                h4 { "Parameters" }
                dl { @for parameter in parameters { (one_parameter(document, id, resolve(document, parameter))) } }
            }
            @if operation["requestBody"].is_object() { (request(id, resolve(document, &operation["requestBody"]))) }
            h4 { "Command" }
            pre tabindex="0" { code class="command" { (command) } }
            h4 { "Responses" }
            dl class="responses" {
                @for (status, response) in operation["responses"].as_object().into_iter().flatten() {
                    (one_response(document, id, status, resolve(document, response)))
                }
            }
        }
    }
}

fn one_parameter(document: &Value, operation: &str, parameter: &Value) -> Markup {
    let name = text(&parameter["name"]);
    let id = format!("{operation}.{name}");
    let schema = resolve(document, &parameter["schema"]);
    html! {
        dt id=(id) data-search={ (name) " · parameter of " (operation) } {
            code { (name) } " "
            span class="type" { (schema::type_of(&parameter["schema"])) " in the " (text(&parameter["in"])) }
            @if parameter["required"] != Value::Bool(true) { " " span class="optional" { "optional" } }
            (anchor(&id, &id))
        }
        dd {
            (markdown::inline(&parameter["description"]))
            (schema::constraints(schema))
            @if !parameter["example"].is_null() { div class="constraint" { "for example " code { (text(&parameter["example"])) } } }
        }
    }
}

/// An event. Its page is one of the topic's messages.
pub(crate) fn event(document: &Value, name: &str, event: &Value) -> Markup {
    let id = format!("event-{name}");
    html! {
        section class="operation" id=(id) data-search={ (name) " · event" } {
            h3 { (name) (anchor(&id, name)) }
            @if event["summary"].is_string() { p { (text(&event["summary"])) } }
            (markdown::block(&event["description"]))
            (contents(&id, &resolve(document, &event["requestBody"])["content"]))
        }
    }
}

fn request(operation: &str, body: &Value) -> Markup {
    html! {
        h4 { "Body" }
        (markdown::block(&body["description"]))
        (contents(operation, &body["content"]))
    }
}

fn one_response(document: &Value, operation: &str, status: &str, response: &Value) -> Markup {
    let id = format!("{operation}.{status}");
    html! {
        dt id=(id) {
            code class={ "status s" (&status[..1]) } { (status) } " " (markdown::inline(&response["description"]))
            (anchor(&id, &id))
        }
        dd {
            @for (name, header) in response["headers"].as_object().into_iter().flatten() {
                @if name != "x-request-id" {
                    div class="constraint" {
                        code { (name) } " " (markdown::inline(&resolve(document, header)["description"]))
                    }
                }
            }
            (contents(&id, &response["content"]))
        }
    }
}

/// The media types of a body, with their schemas and examples.
fn contents(owner: &str, content: &Value) -> Markup {
    html! {
        @for (media_type, content) in content.as_object().into_iter().flatten() {
            p class="content" { code { (media_type) } " " span class="type" { (schema::type_of(&content["schema"])) } }
            @if content["schema"]["properties"].is_object() { (schema::fields(owner, &content["schema"])) }
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
    html! { details { summary { (summary) } pre tabindex="0" { code { (pretty) } } } }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
