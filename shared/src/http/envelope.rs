//! The envelope of every handler: request id, log line, problem details for requests that the framework rejects, and
//! compression.

use std::time::Instant;

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use lambda_http::Context;
use tower_http::compression::{
    CompressionLayer,
    predicate::{Predicate, SizeAbove},
};
use tracing::{Instrument, Span, error, field::Empty, info, info_span, warn};

use crate::{
    config::HttpConfig,
    error::Error,
    http::{problem::Problem, request::RequestInfo, routes::Routes},
    quota::{self, QuotaFields},
    telemetry::{
        metrics::{self, Metric},
        trace,
    },
    types::TraceId,
};

/// [`finish_with`] the defaults.
pub fn finish(function: Routes) -> Router {
    finish_with(function, HttpConfig::default())
}

/// Puts the envelope around a function's routes. Lambda runs the result; tests mount it on a socket.
pub fn finish_with(function: Routes, config: HttpConfig) -> Router {
    function
        .into_router()
        .fallback(|| async { Problem::unknown_path() })
        .layer(from_fn(move |request: Request, next: Next| envelope(config, request, next)))
        // A tenant has a few hundred bytes, which are not worth compressing; a page of a thousand tenants is.
        .layer(CompressionLayer::new().compress_when(SizeAbove::new(4096).and(NotTagged)))
}

/// A response with a strong entity tag is not compressed, because such a tag identifies the exact bytes.
#[derive(Clone, Copy)]
struct NotTagged;

impl Predicate for NotTagged {
    fn should_compress<B: axum::body::HttpBody>(&self, response: &axum::http::Response<B>) -> bool {
        response.headers().get(header::ETAG).is_none_or(|tag| tag.as_bytes().starts_with(b"W/"))
    }
}

async fn envelope(config: HttpConfig, request: Request, next: Next) -> Response {
    trace::within(trace_id(&request), respond(config, request, next)).await
}

/// The trace id that Lambda or API Gateway gives the request. Without them, that of the caller, or a new one.
fn trace_id(request: &Request) -> TraceId {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let of_invocation = || request.extensions().get::<Context>()?.xray_trace_id.as_deref().and_then(TraceId::from_xray);
    of_invocation()
        .or_else(|| header("x-amzn-trace-id").and_then(TraceId::from_xray))
        .or_else(|| header("traceparent").and_then(TraceId::from_traceparent))
        .unwrap_or_else(TraceId::generate)
}

async fn respond(config: HttpConfig, mut request: Request, next: Next) -> Response {
    let info = RequestInfo::of(&request, config);
    let span = info_span!(
        "request",
        request.id = %info.id,
        request.client_id = info.client_id,
        http.method = %request.method(),
        http.path = %request.uri().path(),
        admin.id = Empty,
        tenant.id = Empty,
    );
    request.extensions_mut().insert(info.clone());
    let started = Instant::now();
    let work = std::panic::AssertUnwindSafe(next.run(request)).catch_unwind();
    let (result, quotas) = quota::collect(work.instrument(span.clone())).await;
    // The message of a panic is on standard error; the process continues.
    let panicked = |_| Problem::from(Error::internal("the handler panicked")).into_response();
    let mut response = result.unwrap_or_else(panicked);
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        problem.details.instance = Some(format!("urn:landlord:request:{}", info.id));
        let cause = problem.cause.take();
        log(&span, problem.status, started, cause.as_deref());
        response = problem.into_response();
    } else {
        log(&span, response.status(), started, None);
    }
    if let Ok(id) = HeaderValue::from_str(&info.id) {
        response.headers_mut().insert("x-request-id", id);
    }
    let headers = response.headers_mut();
    // The default; a handler may set another value.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // For two years. Without `includeSubDomains`, because this code does not know what else is below the host.
    headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000"));
    add_quotas(headers, config.gateway_rate_limit, quotas);
    response
}

/// Adds the quotas that the request used up. The gateway's limit, which is shared by all callers, is stated in every response:
/// this code cannot know how much is left of it.
fn add_quotas(headers: &mut HeaderMap, gateway_rate_limit: Option<u32>, mut quotas: QuotaFields) {
    quotas.policies.extend(gateway_rate_limit.map(|rate| format!(r#""gateway";q={rate};w=1"#)));
    // One line each: the format of API Gateway's responses has only one value of a header.
    for (name, items) in [("ratelimit-policy", quotas.policies), ("ratelimit", quotas.limits)] {
        if let (false, Ok(value)) = (items.is_empty(), HeaderValue::from_str(&items.join(", "))) {
            headers.insert(name, value);
        }
    }
}

fn log(span: &Span, status: StatusCode, started: Instant, cause: Option<&str>) {
    let _in_span = span.enter();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let http_status = status.as_u16();
    if status.is_server_error() {
        metrics::count(Metric::ServerErrors);
    }
    match cause {
        Some(cause) if status == StatusCode::SERVICE_UNAVAILABLE => {
            warn!(http.status = http_status, duration_ms, error = cause, "request could not be served");
        }
        Some(cause) => error!(http.status = http_status, duration_ms, error = cause, "request failed"),
        None => info!(http.status = http_status, duration_ms, "request"),
    }
}
