//! The descriptions in the document, which are Markdown.

use maud::{Markup, PreEscaped};
use pulldown_cmark::{Event, Options, Parser, html};
use serde_json::Value;

/// A description as paragraphs.
pub(crate) fn block(text: &Value) -> Markup {
    let mut out = String::new();
    html::push_html(&mut out, events(text.as_str().unwrap_or_default()));
    PreEscaped(out)
}

/// A description within a line.
pub(crate) fn inline(text: &Value) -> Markup {
    let mut out = String::new();
    let paragraph = |event: &Event<'_>| {
        matches!(event, Event::Start(pulldown_cmark::Tag::Paragraph) | Event::End(pulldown_cmark::TagEnd::Paragraph))
    };
    html::push_html(&mut out, events(text.as_str().unwrap_or_default()).filter(|event| !paragraph(event)));
    PreEscaped(out)
}

/// HTML in the text is escaped.
fn events(text: &str) -> impl Iterator<Item = Event<'_>> {
    Parser::new_ext(text, Options::ENABLE_TABLES).map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        other => other,
    })
}
