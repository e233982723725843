//! A page of a list: a plain JSON array, with a link to the next page in `Link` (RFC 8288).

use axum::{
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    error::{Error, Result},
    http::{IfNoneMatch, unchanged::tagged},
    types::{PageCursor, PageLimit},
};

/// The maximum size of a page's JSON as a function returns it: in a JSON string. Lambda rejects responses of more than 6 MB, and
/// `cargo lambda watch` loses some of those that are larger than the buffer of a socket, 4 MiB on Linux.
const MAX_BYTES: usize = 4_000_000;

/// A serialized page.
#[derive(Debug)]
pub struct Page {
    json: Vec<u8>,
    next: Option<String>,
}

impl Page {
    /// `items` contains one item more than `limit` if the list continues. `cursor` returns the position of an item.
    pub fn new<T: Serialize, C: PageCursor>(
        list: &str,
        items: &[T],
        limit: PageLimit,
        cursor: impl Fn(&T) -> C,
    ) -> Result<Self> {
        let mut json = Vec::with_capacity(512 * items.len().min(limit.get()) + 2);
        json.push(b'[');
        // The brackets, and the quotation marks around them.
        let (mut shown, mut size) = (0, 4);
        for item in items.iter().take(limit.get()) {
            let before = json.len();
            if shown > 0 {
                json.push(b',');
            }
            serde_json::to_writer(&mut json, item).map_err(Error::internal)?;
            size += size_in_string(&json[before..]);
            // A page has at least one item; otherwise a client would never reach the end of the list.
            if size > MAX_BYTES && shown > 0 {
                json.truncate(before);
                break;
            }
            shown += 1;
        }
        json.push(b']');
        let next = if shown < items.len() { items[..shown].last().map(|last| cursor(last).encode(list)) } else { None };
        Ok(Self { json, next })
    }

    /// As [`Self::into_response`] with an entity tag, or 304 if the client has the same page.
    pub fn unless_known(self, uri: &Uri, if_none_match: &IfNoneMatch) -> Response {
        let content = [&self.json, self.next.as_deref().unwrap_or_default().as_bytes()].concat();
        tagged(self.into_response(uri), &content, if_none_match)
    }

    /// The response to a request for `uri`.
    pub fn into_response(self, uri: &Uri) -> Response {
        let mut response = ([(header::CONTENT_TYPE, "application/json")], self.json).into_response();
        if let Some(link) = self.next.and_then(|cursor| link(uri, &cursor)) {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

/// The size of JSON in a JSON string, which escapes these two characters. JSON has no control characters.
fn size_in_string(json: &[u8]) -> usize {
    json.len() + json.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

/// The request's URI with another cursor, relative to the host.
fn link(uri: &Uri, cursor: &str) -> Option<HeaderValue> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        if name != "cursor" {
            query.append_pair(&name, &value);
        }
    }
    query.append_pair("cursor", cursor);
    HeaderValue::from_str(&format!("<{}?{}>; rel=\"next\"", uri.path(), query.finish())).ok()
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;
    use crate::types::Cursor;

    fn cursor(_: &String) -> Cursor {
        Cursor { created_at: OffsetDateTime::UNIX_EPOCH, id: Uuid::nil() }
    }

    #[test]
    fn a_page_fits_into_the_response_of_an_invocation() {
        let many_of = |item: &str, number| (0..number).map(|_| item.to_owned()).collect::<Vec<_>>();
        // Each quotation mark of the second is escaped in the item, and both characters again in the response.
        for items in [many_of(&"x".repeat(100_000), 100), many_of(&"\"".repeat(1_000), 9_000)] {
            let page = Page::new("things", &items, PageLimit::parse("10000").unwrap(), cursor).unwrap();
            let shown: Vec<String> = serde_json::from_slice(&page.json).unwrap();
            assert!(page.next.is_some() && shown.len() < items.len(), "{} of {}", shown.len(), items.len());
            let response = serde_json::to_string(std::str::from_utf8(&page.json).unwrap()).unwrap();
            assert!(response.len() <= MAX_BYTES, "{}", response.len());
            // A page is not much smaller than it may be.
            assert!(response.len() > MAX_BYTES * 9 / 10, "{}", response.len());
        }
    }

    #[test]
    fn only_a_page_before_the_last_has_a_link_which_keeps_the_filters() {
        let items = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert!(Page::new("things", &items, PageLimit::parse("3").unwrap(), cursor).unwrap().next.is_none());
        let page = Page::new("things", &items, PageLimit::parse("2").unwrap(), cursor).unwrap();
        let uri: Uri = "/things?search=a%26b&limit=2&cursor=old".parse().unwrap();
        let response = page.into_response(&uri);
        let link = response.headers()[header::LINK].to_str().unwrap();
        assert!(link.starts_with("</things?search=a%26b&limit=2&cursor="), "{link}");
        assert!(!link.contains("old"), "{link}");
    }
}
