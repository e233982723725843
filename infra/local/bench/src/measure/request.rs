//! Requests as API Gateway sends them to a function (payload format 2.0), and the responses.

use serde_json::{Value, json};

use crate::{error::Result, measure::runtime::InvocationResult};

/// The base path of every endpoint.
const BASE: &str = "/api/super-admin";

/// The event of a request.
pub(crate) fn event(token: &str, method: &str, path: &str, query: &str, body: Option<&Value>) -> String {
    let path = format!("{BASE}{path}");
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "accept": "application/json",
            "authorization": format!("Bearer {token}"),
            "content-type": "application/json",
            "host": "api.landlord.example",
            "user-agent": "bench",
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "bench",
            "domainName": "api.landlord.example",
            "domainPrefix": "api",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "bench",
            },
            "requestId": uuid::Uuid::now_v7(),
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000_i64,
        },
        "body": body.map(Value::to_string),
        "isBase64Encoded": false,
    })
    .to_string()
}

/// The body of the response, which must have this status code.
pub(crate) fn body(result: &InvocationResult, status: u64) -> Result<String> {
    let response: Value = serde_json::from_slice(&result.body)?;
    match (&response["statusCode"], &response["body"]) {
        (code, Value::String(body)) if result.succeeded && code.as_u64() == Some(status) => Ok(body.clone()),
        _ => Err(format!("expected status code {status}; the function returned {response}").into()),
    }
}

/// A header of the response; empty if the response has no such header.
pub(crate) fn header(result: &InvocationResult, name: &str) -> Result<String> {
    let response: Value = serde_json::from_slice(&result.body)?;
    Ok(response["headers"][name].as_str().unwrap_or_default().to_owned())
}
