//! The id and the origin of a request.

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::request::Parts,
};
use lambda_http::request::RequestContext;
use uuid::Uuid;

use crate::types::Actor;

#[derive(Debug, Clone, Default)]
pub struct RequestInfo {
    /// The caller's `x-request-id` if it has 8 to 64 letters, digits, `-`, `_` and `=`; else API Gateway's; else a new one.
    pub id: String,
    /// The address of the caller as seen by API Gateway; never from a header, which callers can forge.
    pub source_address: Option<String>,
}

impl RequestInfo {
    /// The actor of the changes that the request makes.
    pub fn actor<'a>(&'a self, id: &'a str) -> Actor<'a> {
        Actor { id, request_id: Some(&self.id), source_address: self.source_address.as_deref() }
    }

    pub(super) fn of(request: &Request) -> Self {
        let gateway = match request.extensions().get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => Some(context),
            _ => None,
        };
        let given = request.headers().get("x-request-id").and_then(|value| value.to_str().ok());
        let id = [given, gateway.and_then(|context| context.request_id.as_deref())]
            .into_iter()
            .flatten()
            .find(|id| is_request_id(id))
            .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
        let peer = || request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_string());
        let source_address = gateway.and_then(|context| context.http.source_ip.clone()).or_else(peer);
        Self { id, source_address }
    }
}

fn is_request_id(id: &str) -> bool {
    (8..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'='))
}

impl<S: Send + Sync> FromRequestParts<S> for RequestInfo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
