//! Schemas: types, constraints and properties.

use maud::{Markup, html};
use serde_json::Value;

use crate::{markdown, page::anchor};

/// The type, with links to named schemas.
pub(crate) fn type_of(schema: &Value) -> Markup {
    if let Some(name) = reference(schema) {
        return html! { a href={ "#schema-" (name) } { (name) } };
    }
    for (keyword, word) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " with ")] {
        if let Some(parts) = schema[keyword].as_array() {
            let parts = parts.iter().filter(|part| keyword != "allOf" || reference(part).is_some());
            return html! {
                @for (index, part) in parts.enumerate() { @if index > 0 { (word) } (type_of(part)) }
            };
        }
    }
    let words = match &schema["type"] {
        Value::String(word) => vec![word.as_str()],
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        _ => vec!["anything"],
    };
    html! {
        @for (index, word) in words.iter().enumerate() {
            @if index > 0 { " or " }
            @if *word == "array" { "array of " (type_of(&schema["items"])) } @else { (word) }
        }
        @if let Some(format) = schema["format"].as_str() { " (" (format) ")" }
    }
}

/// The constraints in addition to the type.
pub(crate) fn constraints(schema: &Value) -> Markup {
    let named = [
        ("minimum", "at least"),
        ("maximum", "at most"),
        ("minLength", "minimum length"),
        ("maxLength", "maximum length"),
        ("pattern", "matches"),
        ("default", "by default"),
        ("example", "for example"),
    ];
    let example = &schema["examples"][0];
    html! {
        @if let Some(values) = schema["enum"].as_array() {
            div class="constraint" {
                "one of "
                @for (index, value) in values.iter().enumerate() { @if index > 0 { ", " } code { (literal(value)) } }
            }
        }
        @if !example.is_null() { div class="constraint" { "for example " code { (literal(example)) } } }
        @for (keyword, words) in named {
            @if !schema[keyword].is_null() && !schema[keyword].is_object() {
                div class="constraint" { (words) " " code { (literal(&schema[keyword])) } }
            }
        }
    }
}

/// A named schema.
pub(crate) fn section(name: &str, schema: &Value) -> Markup {
    let id = format!("schema-{name}");
    html! {
        section class="schema" id=(id) data-search={ (name) " · schema" } {
            h3 { (name) (anchor(&id, name)) }
            (markdown::block(&schema["description"]))
            (body(name, schema))
        }
    }
}

fn body(owner: &str, schema: &Value) -> Markup {
    if !schema["properties"].is_object() {
        let parts = ["oneOf", "anyOf", "allOf"].iter().filter_map(|keyword| schema[*keyword].as_array()).flatten();
        return html! {
            @if schema["allOf"].is_array() {
                @for part in parts { @if reference(part).is_some() { p { "All of " (type_of(part)) ", and" } } @else { (body(owner, part)) } }
            } @else {
                p class="type" { (type_of(schema)) }
                (constraints(schema))
            }
        };
    }
    fields(owner, schema)
}

/// The fields of an object. `owner` is what has them, such as a schema, and the first part of their anchors.
pub(crate) fn fields(owner: &str, schema: &Value) -> Markup {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    html! {
        dl {
            @for (name, property) in properties {
                @let id = format!("{owner}.{name}");
                dt id=(id) data-search={ (name) " · field of " (owner) } {
                    code { (name) } " " span class="type" { (type_of(property)) }
                    @if !required.contains(&name.as_str()) { " " span class="optional" { "optional" } }
                    (anchor(&id, &id))
                }
                dd { (markdown::inline(&property["description"])) (constraints(property)) }
            }
        }
    }
}

/// The name of the schema to which a reference points.
fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

fn literal(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
