//! Responses to clients that repeat a request to see whether something has changed.

use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::http::IfNoneMatch;

/// Adds a weak entity tag of the content, which is the same for the compressed and the plain content. 304 without the content if the
/// client has it.
pub(super) fn tagged(mut response: Response, content: &[u8], if_none_match: &IfNoneMatch) -> Response {
    let tag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(content)[..16]));
    let Ok(tag) = HeaderValue::from_str(&tag) else { return response };
    if if_none_match.has(&tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    response.headers_mut().insert(header::ETAG, tag);
    response
}

/// 200 with JSON and its entity tag, or 304 if the client has the same.
pub fn json_unless_known(json: Vec<u8>, if_none_match: &IfNoneMatch) -> Response {
    let json = Bytes::from(json);
    let response = ([(header::CONTENT_TYPE, "application/json")], json.clone()).into_response();
    tagged(response, &json, if_none_match)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    fn known(tags: &str) -> IfNoneMatch {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, tags.parse().unwrap());
        IfNoneMatch::of(&headers)
    }

    #[test]
    fn the_same_content_is_sent_once_and_other_content_again() {
        let first = json_unless_known(b"[1]".to_vec(), &IfNoneMatch::default());
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_eq!((first.status(), tag.starts_with("W/\"")), (StatusCode::OK, true));
        let again = json_unless_known(b"[1]".to_vec(), &known(&format!("\"x\", {tag}")));
        assert_eq!(
            (again.status(), again.headers()[header::ETAG].to_str().unwrap()),
            (StatusCode::NOT_MODIFIED, &*tag)
        );
        let other = json_unless_known(b"[2]".to_vec(), &known(&tag));
        assert_eq!(other.status(), StatusCode::OK);
        assert_ne!(other.headers()[header::ETAG].to_str().unwrap(), tag);
    }
}
