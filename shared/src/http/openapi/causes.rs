//! Why an operation refuses, in all the ways that there are, each with a problem made as the API itself makes it.

use axum::http::StatusCode;

use crate::{
    error::{Dependency, Error, InputError, Location},
    http::Problem,
    types::{PageLimit, TenantId},
};

/// Why an operation refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    MalformedBody,
    InvalidId,
    InvalidParameter,
    Unauthenticated,
    Forbidden,
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
    /// Every one.
    pub(super) const ALL: [Self; 17] = [
        Self::MalformedBody,
        Self::InvalidId,
        Self::InvalidParameter,
        Self::Unauthenticated,
        Self::Forbidden,
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

    /// What a status that a function names by itself stands for.
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

    /// A sentence that says it of any operation.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::MalformedBody => "The body is not JSON.",
            Self::InvalidId => "The id in the path is not a UUID.",
            Self::InvalidParameter => "A parameter is unknown, given twice or invalid; every fault is named.",
            Self::Unauthenticated => "There is no valid bearer token.",
            Self::Forbidden => "The bearer token's owner may not do this.",
            Self::NotFound => "There is nothing with this id.",
            Self::Conflict => "The state of things forbids it.",
            Self::RequestInProgress => "Another request with this Idempotency-Key is being processed.",
            Self::PreconditionFailed => "If-Match names another revision.",
            Self::BodyTooLarge => "The body has more than 64 KiB.",
            Self::UnsupportedMediaType => "The body is not JSON by its Content-Type.",
            Self::InvalidBody => "The body holds invalid values, every one of which is named.",
            Self::KeyReused => "The Idempotency-Key was used for a request with another body.",
            Self::TooManyRequests => "It was tried too often.",
            Self::Internal => "A fault of this side; the request id finds it in the log.",
            Self::Unavailable => "Something that this needs is not available at the moment.",
            Self::DeadlineExceeded => "It could not be finished in time.",
        }
    }

    /// Whether the text of [`Cause::problem`] is one that every operation with this cause gives.
    pub(super) fn is_the_same_everywhere(self) -> bool {
        !matches!(self, Self::Conflict | Self::NotFound)
    }

    /// The problem, for an example.
    pub(super) fn problem(self) -> Problem {
        let parameter = |location, detail: String| Error::Invalid(vec![InputError { location, detail }]);
        let error = match self {
            Self::MalformedBody => {
                Error::Malformed("The body is not JSON: EOF while parsing an object at line 1 column 1".to_owned())
            }
            Self::InvalidId => parameter(Location::Path("id"), fault(&"42".parse::<TenantId>())),
            Self::InvalidParameter => parameter(Location::Query("limit".to_owned()), fault(&PageLimit::parse("0"))),
            Self::Unauthenticated => Error::NoCredentials,
            Self::Forbidden => Error::Forbidden("This needs the role super_admin"),
            Self::NotFound => Error::NotFound { what: "tenant" },
            Self::Conflict => Error::Conflict(String::new()),
            Self::PreconditionFailed => Error::PreconditionFailed { what: "tenant" },
            Self::InvalidBody => Error::Invalid(vec![
                InputError { location: Location::Body("/name".to_owned()), detail: "is required".to_owned() },
                InputError {
                    location: Location::Body("/colour".to_owned()),
                    detail: "is not a field here, which knows name".to_owned(),
                },
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

/// What a parser says of what it refuses.
fn fault<T>(parsed: &Result<T, crate::types::InvalidValue>) -> String {
    parsed.as_ref().err().map(ToString::to_string).unwrap_or_default()
}
