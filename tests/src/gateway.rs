//! API Gateway in front of the functions: each request is an event (payload format 2.0) that goes through the same adapter as
//! in Lambda. Unlike on a socket, a request has the gateway's id and comes from any address.

use axum::Router;
use lambda_http::{
    Adapter, Context, LambdaEvent, Service,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    request::LambdaRequest,
};
use rand::random_range;
use serde_json::{Value, json};
use shared::{
    config::HttpConfig,
    http::{finish, finish_with},
};
use uuid::Uuid;

use crate::{
    Answer, World,
    api::{Parts, routes},
};

pub struct Gateway(Router);

impl Gateway {
    pub fn of(world: &World) -> Self {
        Self::with(&Parts::of(world))
    }

    pub fn with(parts: &Parts) -> Self {
        Self(finish(routes(parts)))
    }

    /// With another configuration than the default.
    pub fn configured(world: &World, config: HttpConfig) -> Self {
        Self(finish_with(routes(&Parts::of(world)), config))
    }

    /// A request for a path below `/api/super-admin`, from an address that no other test uses.
    pub fn request(&self, method: &str, path: &str) -> GatewayRequest {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = format!("/api/super-admin{path}");
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
            "headers": {"host": "api.landlord.example"}, "isBase64Encoded": false,
            "requestContext": {
                "accountId": "000000000000", "apiId": "local", "stage": "$default", "routeKey": "$default",
                "requestId": format!("gateway-{}", Uuid::now_v7().simple()),
                "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1_767_225_600_000_u64,
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": address(), "userAgent": "test"},
            },
        });
        GatewayRequest { router: self.0.clone(), event }
    }
}

/// A random address of a network that is not in use (RFC 2544).
pub fn address() -> String {
    format!("198.{}.{}.{}", random_range(18..20), random_range(0..=255), random_range(1..=254))
}

#[must_use]
pub struct GatewayRequest {
    router: Router,
    event: Value,
}

impl GatewayRequest {
    /// From this address, as API Gateway sees it.
    pub fn from(mut self, address: &str) -> Self {
        self.event["requestContext"]["http"]["sourceIp"] = json!(address);
        self
    }

    /// With this id of API Gateway.
    pub fn id(mut self, id: &str) -> Self {
        self.event["requestContext"]["requestId"] = json!(id);
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.event["headers"][name] = json!(value);
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn json(mut self, body: &Value) -> Self {
        self.event["body"] = json!(body.to_string());
        self.header("content-type", "application/json")
    }

    pub async fn send(self) -> Answer {
        let event: LambdaRequest = serde_json::from_value(self.event).unwrap();
        let answer = Adapter::from(self.router).call(LambdaEvent::new(event, Context::default())).await.unwrap();
        let answer = serde_json::to_value(answer).unwrap();
        let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap();
        let headers: HeaderMap = answer["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| {
                let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
                (name.parse::<HeaderName>().unwrap(), value)
            })
            .collect();
        let text = answer["body"].as_str().unwrap_or_default().to_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, json, text }
    }
}
