//! Strong entity tags (RFC 9110, section 8.8.3): the revisions of rows.

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
