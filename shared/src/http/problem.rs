//! Errors as problem details (RFC 9457). The mapping of errors to HTTP status codes.

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
    /// The kind of problem; stable.
    #[serde(rename = "type")]
    #[schema(example = "urn:landlord:problem:invalid-input")]
    pub kind: String,
    /// The kind of problem, for people.
    pub title: &'static str,
    /// The HTTP status code.
    pub status: u16,
    /// This occurrence of the problem, for people.
    pub detail: String,
    /// The request: `urn:landlord:request:` followed by its `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub instance: Option<String>,
    /// The errors in the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<InputFault>,
}

/// An error in the input.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InputFault {
    /// The place in the body, a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "/limits/max_agents")]
    pub pointer: Option<String>,
    /// The name of the parameter, if the error is not in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parameter: Option<String>,
    /// The rule that the value breaks.
    pub detail: String,
}

impl From<InputError> for InputFault {
    fn from(error: InputError) -> Self {
        let (pointer, parameter) = match error.location {
            Location::Body(pointer) => (Some(pointer), None),
            Location::Header(name) | Location::Path(name) => (None, Some(name.to_owned())),
            Location::Query(name) => (None, Some(name)),
        };
        Self { pointer, parameter, detail: error.detail }
    }
}

/// The response to a failed request. The envelope adds `instance` and writes the log line.
#[derive(Debug, Clone)]
pub struct Problem {
    pub(super) status: StatusCode,
    pub(super) details: ProblemDetails,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The cause, only for the log.
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

    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            "Body too large",
            format!("The body must have at most {limit} bytes"),
        )
    }

    pub(super) fn unsupported_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Unsupported media type",
            "The body must be JSON with the Content-Type application/json",
        )
    }

    /// No route has this path, or none with this method.
    pub(super) fn no_route(status: StatusCode) -> Self {
        if status == StatusCode::METHOD_NOT_ALLOWED {
            Self::new(status, "method-not-allowed", "Method not allowed", "This path does not support this method")
        } else {
            Self::new(status, "not-found", "Not found", "No resource has this path")
        }
    }

    /// A second request with the same idempotency key and another body.
    pub(super) fn key_reused() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "Idempotency key reused",
            "This Idempotency-Key was used with another body; use a new key for a new request",
        )
    }

    /// A second request with an idempotency key while the first one is being processed.
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
            Error::Invalid(errors) => {
                // Invalid values in a well-formed body are 422, invalid parameters are 400.
                let in_body = errors.iter().any(|error| matches!(error.location, Location::Body(_)));
                let status = if in_body { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
                let mut problem = Self::new(status, "invalid-input", "Invalid input", detail);
                problem.details.errors = errors.into_iter().map(InputFault::from).collect();
                problem
            }
            Error::Malformed(_) => Self::new(StatusCode::BAD_REQUEST, "malformed-request", "Malformed request", detail),
            Error::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail),
            Error::Conflict(_) => Self::new(StatusCode::CONFLICT, "conflict", "Conflict", detail),
            Error::PreconditionFailed { .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", "Precondition failed", detail)
            }
            // RFC 6750, section 3: no error code if the request has no credentials.
            Error::NoCredentials => Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Not authenticated", detail)
                .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Bearer realm="landlord""#)),
            Error::Unauthenticated(_) => {
                Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Not authenticated", detail).with_header(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static(r#"Bearer realm="landlord", error="invalid_token""#),
                )
            }
            Error::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", "Forbidden", detail),
            Error::PasswordChangeRequired => {
                Self::new(StatusCode::FORBIDDEN, "password-change-required", "Password change required", detail)
            }
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
        // The body has only strings and numbers, so that serializing it cannot fail.
        let body = serde_json::to_vec(&self.details).unwrap_or_default();
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        for (name, value) in &self.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        // The envelope completes the body with the id of the request.
        response.extensions_mut().insert(self);
        response
    }
}
