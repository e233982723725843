//! Errors as problem details (RFC 9457). The mapping of errors to HTTP status codes.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::{Conflict, Dependency, Error, InputError, Location},
    http::problem_types::{self, ProblemType},
    types::{FaultCode, ImpersonationId, OperationId, TenantId},
};

/// The body of an error, `application/problem+json`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemDetails {
    /// The type of problem: a URL, relative to the API's host, that describes it. It never changes for one cause.
    #[serde(rename = "type")]
    #[schema(format = "uri-reference", example = "/api/super-admin/problems/invalid-input")]
    pub kind: String,
    /// The type of problem, for people.
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
    #[serde(flatten)]
    pub members: Box<ProblemMembers>,
}

/// The members of some types of problems. The description of a type names those that it has.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct ProblemMembers {
    /// The slug that is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "kopi-kenangan")]
    pub slug: Option<String>,
    /// The tenant that forbids the request, if it is not the one in the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tenant_id: Option<TenantId>,
    /// The status of the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "suspended")]
    pub tenant_status: Option<&'static str>,
    /// The status of the export.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "expired")]
    pub export_status: Option<&'static str>,
    /// The values that are possible instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Vec<String>>, example = json!(["active"]))]
    pub allowed: Option<Vec<&'static str>>,
    /// The operation that is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub operation_id: Option<OperationId>,
    /// The impersonation that forbids the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub impersonation_id: Option<ImpersonationId>,
    /// The limit that is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 25)]
    pub limit: Option<i64>,
    /// How much of the limit is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 25)]
    pub used: Option<i64>,
}

impl From<Conflict> for ProblemMembers {
    fn from(conflict: Conflict) -> Self {
        let none = Self::default();
        match conflict {
            Conflict::SlugTaken { slug } => Self { slug: Some(slug), ..none },
            Conflict::TenantNotActive { tenant_status }
            | Conflict::TenantNotReadable { tenant_status }
            | Conflict::TenantNotFailed { tenant_status }
            | Conflict::TenantDeletionBegun { tenant_status }
            | Conflict::TenantNotRestorable { tenant_status }
            | Conflict::ReceiptNotReady { tenant_status } => Self { tenant_status: Some(tenant_status), ..none },
            Conflict::ExportNotComplete { export_status } => Self { export_status: Some(export_status), ..none },
            Conflict::TenantNotSuspended { tenant_id, tenant_status } => {
                Self { tenant_id: Some(tenant_id), tenant_status: Some(tenant_status), ..none }
            }
            Conflict::ChangesUnsettled { tenant_id } => Self { tenant_id: Some(tenant_id), ..none },
            Conflict::TenantStatusNotSettable { tenant_status, allowed, wanted: _ } => {
                Self { tenant_status: Some(tenant_status), allowed: Some(allowed), ..none }
            }
            Conflict::OperationRunning { operation_id, kind: _, status: _ }
            | Conflict::OperationEnded { operation_id, status: _ } => Self { operation_id: Some(operation_id), ..none },
            Conflict::SeatsExhausted { limit, used } => Self { limit: Some(limit), used: Some(used), ..none },
            Conflict::ImpersonationLive { impersonation_id }
            | Conflict::ImpersonationNotLive { impersonation_id, state: _ } => {
                Self { impersonation_id: Some(impersonation_id), ..none }
            }
            Conflict::TenantSchemaOutdated { .. }
            | Conflict::TenantNotPlaced
            | Conflict::FirstPasswordErased
            | Conflict::RestoreNotRetried
            | Conflict::NotARestoredCopy
            | Conflict::RecoveryEnded
            | Conflict::ExportDamaged
            | Conflict::EmailTaken { .. }
            | Conflict::SubjectTaken
            | Conflict::LastAdmin
            | Conflict::LastOwner
            | Conflict::NoPassword
            | Conflict::NoIdentityProvider
            | Conflict::UserDeactivated
            | Conflict::UserErased => none,
        }
    }
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
    /// The rule that the value breaks, for programs.
    pub code: FaultCode,
    /// The rule that the value breaks, for people.
    pub detail: String,
}

impl From<InputError> for InputFault {
    fn from(error: InputError) -> Self {
        let (pointer, parameter) = match error.location {
            Location::Body(pointer) => (Some(pointer), None),
            Location::Header(name) | Location::Path(name) => (None, Some(name.to_owned())),
            Location::Query(name) => (None, Some(name)),
        };
        Self { pointer, parameter, code: error.code, detail: error.detail }
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
    pub(super) fn new(status: StatusCode, kind: &ProblemType, detail: impl Into<String>) -> Self {
        let details = ProblemDetails {
            kind: kind.url(),
            title: kind.title,
            status: status.as_u16(),
            detail: detail.into(),
            instance: None,
            errors: Vec::new(),
            members: Box::default(),
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

    fn unauthenticated(detail: String, challenge: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, &problem_types::UNAUTHENTICATED, detail)
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }

    fn because_of(self, cause: String) -> Self {
        Self { cause: Some(cause), ..self }
    }

    fn with_header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let detail = format!("The body must have at most {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, &problem_types::BODY_TOO_LARGE, detail)
    }

    pub(super) fn unsupported_media_type() -> Self {
        let detail = "The body must be JSON with the Content-Type application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, &problem_types::UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// No resource has this path.
    pub fn unknown_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, &problem_types::UNKNOWN_PATH, "No resource has this path")
    }

    /// The path has a resource, but no operation with this method. `allow` lists the methods, separated by commas.
    pub fn method_not_allowed(allow: &str) -> Self {
        let detail = format!("This path does not support this method; it supports {allow}");
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, &problem_types::METHOD_NOT_ALLOWED, detail);
        match HeaderValue::from_str(allow) {
            Ok(allow) => problem.with_header(header::ALLOW, allow),
            Err(_) => problem,
        }
    }

    /// A second request with the same idempotency key and another body.
    pub(super) fn key_reused() -> Self {
        let detail = "This Idempotency-Key was used with another body; use a new key for a new request";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, &problem_types::IDEMPOTENCY_KEY_REUSED, detail)
    }

    /// A second request with an idempotency key while the first one is being processed.
    pub(super) fn key_in_use() -> Self {
        let detail = "A request with this Idempotency-Key is being processed; try again in a second";
        Self::new(StatusCode::CONFLICT, &problem_types::REQUEST_IN_PROGRESS, detail).with_header(header::RETRY_AFTER, 1)
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
                let mut problem = Self::new(status, &problem_types::INVALID_INPUT, detail);
                problem.details.errors = errors.into_iter().map(InputFault::from).collect();
                problem
            }
            Error::Malformed(_) => Self::new(StatusCode::BAD_REQUEST, &problem_types::MALFORMED_REQUEST, detail),
            Error::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, &problem_types::NOT_FOUND, detail),
            Error::Conflict(conflict) => {
                let mut problem = Self::new(StatusCode::CONFLICT, (&conflict).into(), detail);
                problem.details.members = Box::new(conflict.into());
                problem
            }
            Error::PreconditionFailed { .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, &problem_types::PRECONDITION_FAILED, detail)
            }
            // RFC 6750, section 3: no error code if the request has no credentials.
            Error::NoCredentials => Self::unauthenticated(detail, r#"Bearer realm="landlord""#),
            Error::Unauthenticated(_) => {
                Self::unauthenticated(detail, r#"Bearer realm="landlord", error="invalid_token""#)
            }
            Error::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, &problem_types::FORBIDDEN, detail),
            Error::PasswordChangeRequired => {
                Self::new(StatusCode::FORBIDDEN, &problem_types::PASSWORD_CHANGE_REQUIRED, detail)
            }
            Error::TooManyRequests { retry_after_seconds } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, &problem_types::TOO_MANY_REQUESTS, detail)
                    .with_header(header::RETRY_AFTER, retry_after_seconds)
            }
            Error::Unavailable { dependency, .. } => {
                let soon = matches!(dependency, Dependency::PostgreSql | Dependency::TenantDatabase);
                let pause: u64 = if soon { 2 } else { 5 };
                Self::new(StatusCode::SERVICE_UNAVAILABLE, &problem_types::UNAVAILABLE, detail)
                    .with_header(header::RETRY_AFTER, pause)
                    .because_of(chain)
            }
            Error::DeadlineExceeded => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, &problem_types::DEADLINE_EXCEEDED, detail)
                    .with_header(header::RETRY_AFTER, 5_u64)
            }
            Error::Internal(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, &problem_types::INTERNAL, detail).because_of(chain)
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
