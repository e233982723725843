//! The id and the origin of a request.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, request::Parts},
};
use lambda_http::request::RequestContext;
use uuid::Uuid;

use crate::{config::HttpConfig, types::Actor};

#[derive(Debug, Clone, Default)]
pub struct RequestInfo {
    /// API Gateway's id of the request, which is also in its access log; outside of API Gateway a new one. Never the caller's, who
    /// could give two requests the same id.
    pub id: String,
    /// The caller's `x-request-id` if it has 8 to 64 letters, digits, `-`, `_` and `=`.
    pub client_id: Option<String>,
    /// The address of the caller as seen by API Gateway or by a trusted proxy before it; never one that the caller can forge.
    pub source_address: Option<String>,
}

impl RequestInfo {
    /// The actor of the changes that the request makes.
    pub fn actor<'a>(&'a self, id: &'a str) -> Actor<'a> {
        Actor {
            id,
            request_id: Some(&self.id),
            client_request_id: self.client_id.as_deref(),
            source_address: self.source_address.as_deref(),
        }
    }

    pub(super) fn of(request: &Request, config: HttpConfig) -> Self {
        let gateway = match request.extensions().get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => Some(context),
            _ => None,
        };
        let given = request.headers().get("x-request-id").and_then(|value| value.to_str().ok());
        let client_id = given.filter(|id| is_request_id(id)).map(str::to_owned);
        let id = gateway.and_then(|context| context.request_id.as_deref()).filter(|id| is_request_id(id));
        let id = id.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
        let peer = || request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_string());
        let peer = gateway.and_then(|context| context.http.source_ip.clone()).or_else(peer);
        let source_address =
            peer.map(|peer| match forwarded_for(request.headers(), &peer, config.trusted_proxy_hops) {
                Some(address) => address.to_string(),
                None => peer,
            });
        Self { id, client_id, source_address }
    }
}

fn is_request_id(id: &str) -> bool {
    (8..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'='))
}

/// The address before `hops` trusted proxies, the last of which is `peer`. `None` without trusted proxies, and where the header
/// has fewer addresses than that: then the request did not come through all of them.
///
/// Only the end of the header is read, because a caller can write anything into its beginning.
fn forwarded_for(headers: &HeaderMap, peer: &str, hops: usize) -> Option<IpAddr> {
    if hops == 0 {
        return None;
    }
    let values = headers.get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or_default());
    let mut addresses: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    // API Gateway appends its peer; a server without it does not.
    if addresses.last() != Some(&peer) {
        addresses.push(peer);
    }
    let address = addresses.iter().rev().nth(hops)?;
    // Some proxies append the port.
    address.parse().ok().or_else(|| address.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

impl<S: Send + Sync> FromRequestParts<S> for RequestInfo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(header: &str, hops: usize) -> Option<String> {
        let headers = HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), header.parse().unwrap())]);
        forwarded_for(&headers, "203.0.113.9", hops).map(|address| address.to_string())
    }

    #[test]
    fn the_address_is_the_one_before_the_trusted_proxies() {
        let chain = "192.0.2.66, 198.51.100.7, 203.0.113.9";
        assert_eq!(address(chain, 0), None);
        assert_eq!(address(chain, 1).as_deref(), Some("198.51.100.7"));
        assert_eq!(address(chain, 2).as_deref(), Some("192.0.2.66"));
        assert_eq!(address(chain, 3), None);
        // Without API Gateway, the header does not contain the peer.
        assert_eq!(address("192.0.2.66,198.51.100.7", 1).as_deref(), Some("198.51.100.7"));
    }

    #[test]
    fn a_port_is_ignored_and_anything_else_is_no_address() {
        assert_eq!(address("198.51.100.7:4711", 1).as_deref(), Some("198.51.100.7"));
        assert_eq!(address("[2001:db8::1]:4711", 1).as_deref(), Some("2001:db8::1"));
        assert_eq!(address("2001:db8::1", 1).as_deref(), Some("2001:db8::1"));
        for header in ["unknown", "", "198.51.100.7, _hidden", "198.51.100.7, "] {
            assert_eq!(address(header, 1), None, "{header}");
        }
    }
}
