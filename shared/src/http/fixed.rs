//! Static content, which is a part of the function and changes only with a deployment.

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::http::IfNoneMatch;

/// Caches may use the content for 5 minutes without revalidation, which limits the delay after a deployment.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// For content whose address contains its digest.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// For content that refers to addresses of other content, which a deployment removes.
const REVALIDATED: HeaderValue = HeaderValue::from_static("public, no-cache");

/// Static content with its entity tag.
#[derive(Debug, Clone)]
pub struct Fixed {
    content_type: &'static str,
    body: &'static [u8],
    compressed: Compressed,
    cache_control: HeaderValue,
    etag: HeaderValue,
}

/// The same content, compressed when the function was built. Otherwise it is compressed for each response.
#[derive(Debug, Clone, Copy, Default)]
pub struct Compressed {
    pub brotli: Option<&'static [u8]>,
    pub gzip: Option<&'static [u8]>,
}

impl Fixed {
    pub fn new(content_type: &'static str, body: &'static str) -> Self {
        Self::compressed(content_type, body.as_bytes(), Compressed::default())
    }

    pub fn compressed(content_type: &'static str, body: &'static [u8], compressed: Compressed) -> Self {
        let digest = Sha256::digest(body);
        // Weak, because it is the same for the compressed and the plain content.
        let etag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(digest));
        let etag = HeaderValue::from_str(&etag).unwrap_or(HeaderValue::from_static("W/\"\""));
        Self { content_type, body, compressed, cache_control: CACHE_CONTROL, etag }
    }

    /// The same for an address that never gets other content.
    #[must_use]
    pub fn immutable(self) -> Self {
        Self { cache_control: IMMUTABLE, ..self }
    }

    /// The same for content that no cache may use without asking whether it is current.
    #[must_use]
    pub fn always_revalidated(self) -> Self {
        Self { cache_control: REVALIDATED, ..self }
    }

    /// The response to a request with these headers: 304 if `If-None-Match` contains the entity tag (RFC 9110, section
    /// 13.1.2).
    pub fn respond(&self, request: &HeaderMap) -> Response {
        let headers = [
            (header::CACHE_CONTROL, self.cache_control.clone()),
            (header::ETAG, self.etag.clone()),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
        ];
        if IfNoneMatch::of(request).has(&self.etag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let content_type = [(header::CONTENT_TYPE, self.content_type)];
        let forms = [("br", self.compressed.brotli), ("gzip", self.compressed.gzip)];
        for (coding, body) in forms.into_iter().filter_map(|(coding, body)| Some((coding, body?))) {
            if accepts(request, coding) {
                let coding = [(header::CONTENT_ENCODING, coding)];
                return (headers, content_type, coding, Bytes::from_static(body)).into_response();
            }
        }
        (headers, content_type, Bytes::from_static(self.body)).into_response()
    }
}

/// Whether `Accept-Encoding` names a content coding, and not with the weight 0 (RFC 9110, section 12.5.3).
fn accepts(request: &HeaderMap, coding: &str) -> bool {
    let values = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case(coding) && weight.is_some_and(|weight| weight > 0.0)
    })
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

    #[test]
    fn the_smallest_form_that_the_client_accepts_is_sent() {
        let compressed = Compressed { brotli: Some(b"b"), gzip: Some(b"g") };
        let fixed = Fixed::compressed("text/plain", b"something", compressed);
        let coding = |accepted: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.extend(accepted.map(|accepted| (header::ACCEPT_ENCODING, accepted.parse().unwrap())));
            let coding = fixed.respond(&headers).headers_mut().remove(header::CONTENT_ENCODING);
            coding.map(|coding| coding.to_str().unwrap().to_owned())
        };
        assert_eq!(coding(Some("gzip, deflate, br, zstd")).as_deref(), Some("br"));
        assert_eq!(coding(Some("gzip, br;q=0")).as_deref(), Some("gzip"));
        assert_eq!(coding(Some("GZIP;q=0.5")).as_deref(), Some("gzip"));
        for plain in [None, Some(""), Some("identity"), Some("zstd, gzip;q=0, br; q=0.0")] {
            assert_eq!(coding(plain), None, "{plain:?}");
        }
    }
}
