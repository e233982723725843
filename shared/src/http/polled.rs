//! The response to a client that repeats a request until something has ended.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::http::{IfNoneMatch, Tagged, etag};

/// The state of something that changes by itself: 200 with its entity tag, or 304 if the client has this revision.
#[derive(Debug, Clone)]
pub struct Polled<T> {
    pub body: T,
    pub revision: i64,
    pub if_none_match: IfNoneMatch,
    /// When the client should ask again: the header `Retry-After`. `None` if the state is final.
    pub retry_after: Option<Duration>,
}

impl<T: Serialize> IntoResponse for Polled<T> {
    fn into_response(self) -> Response {
        let mut response = if self.if_none_match.has_revision(self.revision) {
            (StatusCode::NOT_MODIFIED, [(header::ETAG, etag(self.revision))]).into_response()
        } else {
            Tagged(self.body, self.revision).into_response()
        };
        if let Some(retry_after) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs()));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(tags: &str, retry_after: Option<Duration>) -> Response {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, tags.parse().unwrap());
        let if_none_match = IfNoneMatch::of(&headers);
        Polled { body: 1, revision: 7, if_none_match, retry_after }.into_response()
    }

    #[test]
    fn a_client_that_has_the_revision_gets_304_with_the_same_headers() {
        for (tags, status) in [("\"6\"", StatusCode::OK), ("\"7\"", StatusCode::NOT_MODIFIED)] {
            let open = response(tags, Some(Duration::from_secs(2)));
            assert_eq!(open.status(), status);
            assert_eq!(open.headers()[header::ETAG], "\"7\"");
            assert_eq!(open.headers()[header::RETRY_AFTER], "2");
            assert!(!response(tags, None).headers().contains_key(header::RETRY_AFTER));
        }
    }
}
