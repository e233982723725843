//! The causes of error responses, each with an example that is produced by the same code as the API's own errors.

use axum::http::StatusCode;

use crate::{
    error::{Dependency, Error, InputError, Location},
    http::{Problem, body::unknown_field},
    types::{PageLimit, TenantId},
};

/// The cause of an error response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    MalformedBody,
    InvalidId,
    InvalidParameter,
    Unauthenticated,
    Forbidden,
    PasswordChangeRequired,
    NotFound,
    Conflict,
    RequestInProgress,
    PreconditionFailed,
    BodyTooLarge,
    UnsupportedMediaType,
    InvalidBody,
    KeyReused,
    TooManyRequests,
    Internal,
    Unavailable,
    DeadlineExceeded,
}

impl Cause {
    pub(super) const ALL: [Self; 18] = [
        Self::MalformedBody,
        Self::InvalidId,
        Self::InvalidParameter,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::PasswordChangeRequired,
        Self::NotFound,
        Self::Conflict,
        Self::RequestInProgress,
        Self::PreconditionFailed,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidBody,
        Self::KeyReused,
        Self::TooManyRequests,
        Self::Internal,
        Self::Unavailable,
        Self::DeadlineExceeded,
    ];

    /// The cause that a function means by a status in its own description.
    pub(super) fn of_status(status: StatusCode) -> Option<Self> {
        let cause = match status {
            StatusCode::BAD_REQUEST => Self::InvalidParameter,
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::PRECONDITION_FAILED => Self::PreconditionFailed,
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::UNPROCESSABLE_ENTITY => Self::InvalidBody,
            StatusCode::TOO_MANY_REQUESTS => Self::TooManyRequests,
            StatusCode::INTERNAL_SERVER_ERROR => Self::Internal,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            _ => return None,
        };
        Some(cause)
    }

    /// A sentence that applies to every operation.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::MalformedBody => "The body is not JSON.",
            Self::InvalidId => "The id in the path is not a UUID.",
            Self::InvalidParameter => "A parameter is unknown, repeated or invalid; all errors are listed.",
            Self::Unauthenticated => "The request has no valid bearer token.",
            Self::Forbidden => "The caller may not do this.",
            Self::PasswordChangeRequired => "The caller's password is temporary and must be changed first.",
            Self::NotFound => "No resource has this id.",
            Self::Conflict => "The current state forbids the request.",
            Self::RequestInProgress => "Another request with this Idempotency-Key is being processed.",
            Self::PreconditionFailed => "If-Match contains another revision.",
            Self::BodyTooLarge => "The body is larger than 64 KiB.",
            Self::UnsupportedMediaType => "The Content-Type of the body is not JSON.",
            Self::InvalidBody => "The body contains invalid values, all of which are listed.",
            Self::KeyReused => "The Idempotency-Key was used for a request with another body.",
            Self::TooManyRequests => "Too many attempts.",
            Self::Internal => "Internal error; the request id identifies it in the log.",
            Self::Unavailable => "A dependency is temporarily unavailable.",
            Self::DeadlineExceeded => "The request could not be completed in time.",
        }
    }

    /// Whether the text of [`Cause::problem`] is the same for every operation with this cause.
    pub(super) fn is_the_same_everywhere(self) -> bool {
        !matches!(self, Self::Conflict | Self::NotFound)
    }

    /// An example of the problem.
    pub(super) fn problem(self) -> Problem {
        let parameter = |location, detail: String| Error::Invalid(vec![InputError { location, detail }]);
        let error = match self {
            Self::MalformedBody => {
                Error::Malformed("The body is not JSON: EOF while parsing an object at line 1 column 1".to_owned())
            }
            Self::InvalidId => parameter(Location::Path("id"), message(&"42".parse::<TenantId>())),
            Self::InvalidParameter => parameter(Location::Query("limit".to_owned()), message(&PageLimit::parse("0"))),
            Self::Unauthenticated => Error::NoCredentials,
            Self::Forbidden => Error::Forbidden("This requires the role operator"),
            Self::PasswordChangeRequired => Error::PasswordChangeRequired,
            Self::NotFound => Error::NotFound { what: "tenant" },
            Self::Conflict => Error::Conflict(String::new()),
            Self::PreconditionFailed => Error::PreconditionFailed { what: "tenant" },
            Self::InvalidBody => Error::Invalid(vec![
                InputError { location: Location::Body("/name".to_owned()), detail: "is required".to_owned() },
                InputError { location: Location::Body("/colour".to_owned()), detail: unknown_field(&["name"]) },
            ]),
            Self::TooManyRequests => Error::TooManyRequests { retry_after_seconds: 30 },
            Self::Internal => Error::internal("an example"),
            Self::Unavailable => Error::Unavailable { dependency: Dependency::PostgreSql, source: None },
            Self::DeadlineExceeded => Error::DeadlineExceeded,
            Self::RequestInProgress => return Problem::key_in_use(),
            Self::KeyReused => return Problem::key_reused(),
            Self::BodyTooLarge => return Problem::too_large(crate::http::body::MAX_BYTES),
            Self::UnsupportedMediaType => return Problem::unsupported_media_type(),
        };
        error.into()
    }
}

/// The message of a parser about an invalid value.
fn message<T>(parsed: &Result<T, crate::types::InvalidValue>) -> String {
    parsed.as_ref().err().map(ToString::to_string).unwrap_or_default()
}
