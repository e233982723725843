//! Errors as problem details (RFC 9457). The only place that knows HTTP status codes of errors.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Dependency, Error, InputError, Location};

/// The body of an error, `application/problem+json`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemDetails {
    /// Names the kind of problem; does not change.
    #[serde(rename = "type")]
    #[schema(example = "urn:landlord:problem:invalid-input")]
    pub kind: String,
    /// The kind of problem, for people.
    pub title: &'static str,
    /// The HTTP status code.
    pub status: u16,
    /// What happened this time, for people.
    pub detail: String,
    /// The request: `urn:landlord:request:` and its `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub instance: Option<String>,
    /// Every fault of the input, where there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<InputFault>,
}

/// One fault of the input: where, and what.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InputFault {
    /// JSON pointer (RFC 6901) into the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "/limits/max_agents")]
    pub pointer: Option<String>,
    /// Name of the parameter, where it is not in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parameter: Option<String>,
    /// What is wrong.
    pub detail: String,
}

impl From<InputError> for InputFault {
    fn from(fault: InputError) -> Self {
        let (pointer, parameter) = match fault.location {
            Location::Body(pointer) => (Some(pointer), None),
            Location::Header(name) | Location::Path(name) => (None, Some(name.to_owned())),
            Location::Query(name) => (None, Some(name)),
        };
        Self { pointer, parameter, detail: fault.detail }
    }
}

/// An error on its way to the caller. The envelope gives it its `instance` and writes the log.
#[derive(Debug, Clone)]
pub struct Problem {
    pub(super) status: StatusCode,
    pub(super) details: ProblemDetails,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The cause, for the log alone.
    pub(super) cause: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, kind: &str, title: &'static str, detail: impl Into<String>) -> Self {
        let kind = format!("urn:landlord:problem:{kind}");
        let details = ProblemDetails {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            instance: None,
            errors: vec![],
        };
        Self { status, details, headers: Vec::new(), cause: None }
    }

    /// What the caller is told.
    pub fn details(&self) -> &ProblemDetails {
        &self.details
    }

    /// Whether the cause is on this side, and not in the request.
    pub fn is_server_error(&self) -> bool {
        self.status.is_server_error()
    }

    fn with_header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The body is larger than is read.
    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            "Body too large",
            format!("A body may have at most {limit} bytes"),
        )
    }

    /// The body is not JSON by its own word.
    pub(super) fn unsupported_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Unsupported media type",
            "The body must be JSON, and its Content-Type application/json",
        )
    }

    /// There is no such route, or not with this method.
    pub(super) fn no_route(status: StatusCode) -> Self {
        if status == StatusCode::METHOD_NOT_ALLOWED {
            Self::new(status, "method-not-allowed", "Method not allowed", "This path does not take this method")
        } else {
            Self::new(status, "not-found", "Not found", "There is nothing at this path")
        }
    }

    /// A second request with an idempotency key whose body differs.
    pub(super) fn key_reused() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "Idempotency key used before",
            "This Idempotency-Key was used with another body; a new request needs a new key",
        )
    }

    /// A second request with an idempotency key while the first one runs.
    pub(super) fn key_in_use() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "request-in-progress",
            "Request in progress",
            "A request with this Idempotency-Key is being processed; try again in a second",
        )
        .with_header(header::RETRY_AFTER, 1)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        let chain = error.chain();
        match error {
            Error::Invalid(faults) => {
                // A body that is read but wrong is 422; parameters that cannot be what they claim are 400.
                let in_body = faults.iter().any(|fault| matches!(fault.location, Location::Body(_)));
                let status = if in_body { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
                let mut problem = Self::new(status, "invalid-input", "Invalid input", detail);
                problem.details.errors = faults.into_iter().map(InputFault::from).collect();
                problem
            }
            Error::Malformed(_) => Self::new(StatusCode::BAD_REQUEST, "malformed-request", "Malformed request", detail),
            Error::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail),
            Error::Conflict(_) => Self::new(StatusCode::CONFLICT, "conflict", "Conflict", detail),
            Error::PreconditionFailed { .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", "Precondition failed", detail)
            }
            // RFC 6750, section 3: no error code where no credentials were sent.
            Error::NoCredentials => Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Not authenticated", detail)
                .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer realm="landlord""#)),
            Error::Unauthenticated(_) => {
                Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Not authenticated", detail).with_header(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static(r#"Bearer realm="landlord", error="invalid_token""#),
                )
            }
            Error::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", "Forbidden", detail),
            Error::TooManyRequests { retry_after_seconds } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests", detail)
                    .with_header(header::RETRY_AFTER, retry_after_seconds)
            }
            Error::Unavailable { dependency, .. } => {
                let soon = matches!(dependency, Dependency::PostgreSql | Dependency::TenantDatabase);
                let pause: u64 = if soon { 2 } else { 5 };
                let mut problem =
                    Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable", detail)
                        .with_header(header::RETRY_AFTER, pause);
                problem.cause = Some(chain);
                problem
            }
            Error::DeadlineExceeded => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "deadline-exceeded", "Temporarily unavailable", detail)
                    .with_header(header::RETRY_AFTER, 5_u64)
            }
            Error::Internal(_) => {
                let mut problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error", detail);
                problem.cause = Some(chain);
                problem
            }
        }
    }
}

impl From<tokio_postgres::Error> for Problem {
    fn from(error: tokio_postgres::Error) -> Self {
        Error::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Strings and numbers alone: it cannot fail.
        let body = serde_json::to_vec(&self.details).unwrap_or_default();
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        for (name, value) in &self.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        // The envelope finishes the body, where the request is known.
        response.extensions_mut().insert(self);
        response
    }
}
