//! The page: the conventions, the operations by section, and the schemas.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use crate::{markdown, operation, schema};

pub(crate) fn render(document: &Value, style: &str) -> Markup {
    let info = &document["info"];
    let sections: Vec<Section<'_>> =
        document["tags"].as_array().into_iter().flatten().map(|tag| Section::of(document, tag)).collect();
    let schemas = document["components"]["schemas"].as_object();
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
                (contents(&sections))
                main {
                    header {
                        h1 { (text(&info["title"])) }
                        p class="note" { "Version " (text(&info["version"])) ". As JSON: " a href="openapi.json" { "openapi.json" } }
                        (markdown::block(&info["description"]))
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
                    section class="part" id="schemas" {
                        h2 { "Schemas" }
                        @for (name, one) in schemas.into_iter().flatten() { (schema::section(name, one)) }
                    }
                }
            }
        }
    }
}

/// The table of contents. On narrow screens it is folded above the rest.
fn contents(sections: &[Section<'_>]) -> Markup {
    html! {
        nav {
            details open {
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
                p { a href="#schemas" { "Schemas" } }
            }
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

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
