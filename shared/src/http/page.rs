//! A page of a list: a plain JSON array, and the way to the next one in `Link` (RFC 8288).

use axum::{
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    error::{Error, Result},
    types::{PageCursor, PageLimit},
};

/// A page ends before its JSON passes this, because API Gateway and Lambda refuse an answer of more than 6 MB.
const MAX_BYTES: usize = 5 * 1024 * 1024;

/// A page, serialized.
#[derive(Debug)]
pub struct Page {
    json: Vec<u8>,
    next: Option<String>,
}

impl Page {
    /// Makes a page of `items`, of which there is one more than `limit` when the list goes on. `cursor` tells where an item
    /// stands.
    pub fn new<T: Serialize, C: PageCursor>(
        list: &str,
        items: &[T],
        limit: PageLimit,
        cursor: impl Fn(&T) -> C,
    ) -> Result<Self> {
        let mut json = Vec::with_capacity(512 * items.len().min(limit.get()) + 2);
        json.push(b'[');
        let mut shown = 0;
        for item in items.iter().take(limit.get()) {
            let before = json.len();
            if shown > 0 {
                json.push(b',');
            }
            serde_json::to_writer(&mut json, item).map_err(Error::internal)?;
            // At least one, so that the walk through the list always moves.
            if json.len() >= MAX_BYTES && shown > 0 {
                json.truncate(before);
                break;
            }
            shown += 1;
        }
        json.push(b']');
        let next = if shown < items.len() { items[..shown].last().map(|last| cursor(last).encode(list)) } else { None };
        Ok(Self { json, next })
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

/// The same request with another cursor, relative to the host.
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
    fn a_page_ends_before_its_json_passes_five_mebibytes_and_goes_on_behind_its_link() {
        let items: Vec<String> = (0..100).map(|_| "x".repeat(100_000)).collect();
        let page = Page::new("things", &items, PageLimit::default(), cursor).unwrap();
        assert!(page.json.len() <= MAX_BYTES + 1);
        let shown: Vec<String> = serde_json::from_slice(&page.json).unwrap();
        assert_eq!(shown.len(), 52);
        assert!(page.next.is_some());
    }

    #[test]
    fn the_last_page_has_no_link_and_a_full_one_keeps_the_filters() {
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
