//! The page: the conventions, the operations by section, and the schemas.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use crate::{markdown, operation, schema};

pub(crate) fn render(document: &Value, style: &str, script: &str) -> Markup {
    let info = &document["info"];
    let sections: Vec<Section<'_>> = document["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tag| Section::of(document, tag))
        .filter(|section| !section.operations.is_empty())
        .collect();
    let schemas = document["components"]["schemas"].as_object();
    let events: Vec<(&str, &Value)> = webhooks(document).collect();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (text(&info["title"])) }
                style { (PreEscaped(style)) }
            }
            body {
                nav aria-label="Contents" { (search()) (contents(&sections, &events)) }
                main {
                    header {
                        h1 { (text(&info["title"])) }
                        p class="note" { "Version " (text(&info["version"])) ". As JSON: " a href="openapi.json" { "openapi.json" } }
                        (markdown::block(&info["description"]))
                        p { "The commands below need two variables: the address of the API, without a path, and a bearer token." }
                        pre tabindex="0" { code { "export API=https://api.example.com\nexport TOKEN=eyJhbGciOi…" } }
                    }
                    @for section in &sections {
                        section class="part" id=(section.anchor()) {
                            h2 { (section.name) }
                            (markdown::block(section.description))
                            @for one in &section.operations {
                                (operation::section(document, one.method, one.path, one.operation))
                            }
                        }
                    }
                    @if !events.is_empty() {
                        section class="part" id="events" {
                            h2 { "Events" }
                            (markdown::block(&tag_of_events(document)["description"]))
                            @for (name, event) in &events { (operation::event(document, name, event)) }
                        }
                    }
                    section class="part" id="schemas" {
                        h2 { "Schemas" }
                        @for (name, one) in schemas.into_iter().flatten() { (schema::section(name, one)) }
                    }
                }
                script { (PreEscaped(script)) }
            }
        }
    }
}

/// The events that the platform publishes, by name.
fn webhooks(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let webhooks = document["webhooks"].as_object().into_iter().flatten();
    webhooks.map(|(name, item)| (name.as_str(), &item["post"]))
}

/// The tag of the events, which no operation has.
fn tag_of_events(document: &Value) -> &Value {
    let tags = document["tags"].as_array();
    tags.into_iter().flatten().find(|tag| tag["name"] == "Events").unwrap_or(&Value::Null)
}

/// The search. The script shows it.
fn search() -> Markup {
    html! {
        div id="search-form" role="search" hidden {
            label for="search" { "Search " kbd { "/" } }
            input type="search" id="search" autocomplete="off" spellcheck="false";
            p id="search-status" class="note" role="status" {}
            ul id="search-results" hidden {}
        }
    }
}

/// The table of contents. On narrow screens it is folded above the rest.
fn contents(sections: &[Section<'_>], events: &[(&str, &Value)]) -> Markup {
    html! {
            details id="contents" open {
                summary { "Contents" }
                @for section in sections {
                    p { a href={ "#" (section.anchor()) } { (section.name) } }
                    ul {
                        @for one in &section.operations {
                            li { a href={ "#" (text(&one.operation["operationId"])) } {
                                span class={ "method " (one.method) } { (one.method.to_uppercase()) } " "
                                (text(&one.operation["summary"]))
                            } }
                        }
                    }
                }
                @if !events.is_empty() {
                    p { a href="#events" { "Events" } }
                    ul { @for (name, _) in events { li { a href={ "#event-" (name) } { (name) } } } }
                }
                p { a href="#schemas" { "Schemas" } }
            }
    }
}

/// The operations with a tag.
struct Section<'a> {
    name: &'a str,
    description: &'a Value,
    operations: Vec<Route<'a>>,
}

struct Route<'a> {
    method: &'a str,
    path: &'a str,
    operation: &'a Value,
}

impl<'a> Section<'a> {
    fn of(document: &'a Value, tag: &'a Value) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let all = paths.flat_map(|(path, item)| {
            item.as_object().into_iter().flatten().map(move |(method, operation)| Route { method, path, operation })
        });
        let own = all.filter(|one| one.operation["tags"].as_array().is_some_and(|tags| tags.contains(&tag["name"])));
        Self { name: text(&tag["name"]), description: &tag["description"], operations: own.collect() }
    }

    fn anchor(&self) -> String {
        self.name.to_lowercase().replace(' ', "-")
    }
}

/// The target of a reference, or the value itself if it is none.
pub(crate) fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

/// Whether an operation requires no token.
pub(crate) fn is_open(operation: &Value) -> bool {
    let alternatives = operation["security"].as_array();
    alternatives.is_some_and(|all| all.iter().all(|one| one.as_object().is_some_and(serde_json::Map::is_empty)))
}

/// A link to the element that contains it, which has this id.
pub(crate) fn anchor(id: &str, name: &str) -> Markup {
    html! { " " a class="anchor" href={ "#" (id) } aria-label={ "Link to " (name) } { "#" } }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
