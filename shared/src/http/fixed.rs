//! Static content, which is a part of the function and changes only with a deployment.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::http::IfNoneMatch;

/// Caches may use the content for 5 minutes without revalidation, which limits the delay after a deployment.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// Static content with its entity tag.
#[derive(Debug, Clone)]
pub struct Fixed {
    content_type: &'static str,
    body: &'static str,
    etag: HeaderValue,
}

impl Fixed {
    pub fn new(content_type: &'static str, body: &'static str) -> Self {
        let digest = Sha256::digest(body);
        // Weak, because it is the same for the compressed and the plain content.
        let etag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(digest));
        let etag = HeaderValue::from_str(&etag).unwrap_or(HeaderValue::from_static("W/\"\""));
        Self { content_type, body, etag }
    }

    /// The response to a request with these headers: 304 if `If-None-Match` contains the entity tag (RFC 9110, section
    /// 13.1.2).
    pub fn respond(&self, request: &HeaderMap) -> Response {
        let headers = [
            (header::CACHE_CONTROL, CACHE_CONTROL),
            (header::ETAG, self.etag.clone()),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
        ];
        if IfNoneMatch::of(request).has(&self.etag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, [(header::CONTENT_TYPE, self.content_type)], self.body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matching_if_none_match_is_answered_with_304() {
        let fixed = Fixed::new("text/plain", "something");
        let status = |tags: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.extend(tags.map(|tags| (header::IF_NONE_MATCH, tags.parse().unwrap())));
            fixed.respond(&headers).status()
        };
        let own = fixed.etag.to_str().unwrap();
        for same in [own, own.trim_start_matches("W/"), "*", &format!("\"other\", {own}")] {
            assert_eq!(status(Some(same)), StatusCode::NOT_MODIFIED, "{same}");
        }
        for other in [None, Some("\"other\""), Some("")] {
            assert_eq!(status(other), StatusCode::OK, "{other:?}");
        }
    }
}
