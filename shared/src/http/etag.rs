//! Strong entity tags (RFC 9110, section 8.8.3): the revisions of rows.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};

use crate::error::{Error, Result};

pub fn etag(revision: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{revision}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// The header `If-Match` of a request.
#[derive(Debug, Clone, Default)]
pub struct IfMatch(Vec<String>);

impl IfMatch {
    /// Fails with [`Error::PreconditionFailed`] if the header is present and does not contain the revision.
    pub fn check(&self, revision: i64, what: &'static str) -> Result<()> {
        let own = format!("\"{revision}\"");
        if self.0.is_empty() || self.0.iter().any(|tag| tag == "*" || *tag == own) {
            Ok(())
        } else {
            Err(Error::PreconditionFailed { what })
        }
    }

    fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::IF_MATCH).iter();
        // A value that is not text must not be ignored: it matches nothing.
        let tags = values.flat_map(|value| value.to_str().unwrap_or("\u{fffd}").split(','));
        Self(tags.map(|tag| tag.trim().to_owned()).collect())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
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
            IfMatch::of(&headers)
        };
        assert!(IfMatch::of(&HeaderMap::new()).check(3, "tenant").is_ok());
        assert!(condition("\"2\", \"3\"").check(3, "tenant").is_ok());
        assert!(condition("*").check(3, "tenant").is_ok());
        for other in ["\"4\"", "3", "W/\"3\"", ""] {
            assert!(condition(other).check(3, "tenant").is_err(), "{other}");
        }
    }
}
