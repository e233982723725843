//! Entity tags (RFC 9110, section 8.8.3). Those of resources are strong: the revisions of rows.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};

pub use crate::precondition::IfMatch;

pub fn etag(revision: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{revision}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

fn if_match(headers: &HeaderMap) -> IfMatch {
    let values = headers.get_all(header::IF_MATCH).iter();
    // A value that is not text must not be ignored: it matches nothing.
    let tags = values.flat_map(|value| value.to_str().unwrap_or("\u{fffd}").split(','));
    IfMatch::new(tags.map(|tag| tag.trim().to_owned()))
}

/// `If-None-Match` (RFC 9110, section 13.1.2): the entity tags of the representations that the client has.
#[derive(Debug, Clone, Default)]
pub struct IfNoneMatch(Vec<String>);

impl IfNoneMatch {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        Self(values.flat_map(|tags| tags.split(',')).map(|tag| tag.trim().to_owned()).collect())
    }

    /// Whether the request has the header.
    pub fn is_given(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether the client has this revision.
    pub fn has_revision(&self, revision: i64) -> bool {
        self.has(&etag(revision))
    }

    /// Whether the client has the representation with this entity tag, by weak comparison.
    pub(super) fn has(&self, own: &HeaderValue) -> bool {
        let own = own.to_str().unwrap_or_default().trim_start_matches("W/");
        self.0.iter().any(|tag| tag == "*" || tag.trim_start_matches("W/") == own)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(if_match(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_revision_in_the_header_matches() {
        let condition = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, value.parse().unwrap());
            if_match(&headers)
        };
        assert!(if_match(&HeaderMap::new()).check(3, "tenant").is_ok());
        assert!(condition("\"2\", \"3\"").check(3, "tenant").is_ok());
        assert!(condition("*").check(3, "tenant").is_ok());
        for other in ["\"4\"", "3", "W/\"3\"", ""] {
            assert!(condition(other).check(3, "tenant").is_err(), "{other}");
        }
    }
}
