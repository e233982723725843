//! The causes of error responses, each with an example that is produced by the same code as the API's own errors.

use axum::http::StatusCode;

use crate::{
    error::{Dependency, Error, InputError, Location},
    http::{
        Problem,
        body::{required, unknown_field},
        problem_types::ProblemType,
    },
    types::{InvalidValue, PageLimit, TenantId},
};

/// The cause of an error response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// The current state forbids the request.
    Conflict(&'static ProblemType),
    MalformedBody,
    InvalidId,
    InvalidParameter,
    Unauthenticated,
    Forbidden,
    PasswordChangeRequired,
    NotFound,
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
    /// The cause that a function means by a status in its own description.
    pub(super) fn of_status(status: StatusCode) -> Option<Self> {
        let cause = match status {
            StatusCode::BAD_REQUEST => Self::InvalidParameter,
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
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

    /// The name of the response that several operations share.
    pub(super) fn name(self) -> String {
        match self {
            Self::Conflict(kind) => kind.title.split(' ').map(capitalized).collect(),
            other => format!("{other:?}"),
        }
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
            Self::Conflict(kind) => kind.meaning,
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
        !matches!(self, Self::Conflict(_) | Self::NotFound)
    }

    /// An example of the problem.
    pub(super) fn problem(self) -> Problem {
        let parameter = |location, error| Error::Invalid(vec![InputError::new(location, error)]);
        let error = match self {
            Self::MalformedBody => {
                Error::Malformed("The body is not JSON: EOF while parsing an object at line 1 column 1".to_owned())
            }
            Self::InvalidId => parameter(Location::Path("id"), rejected("42".parse::<TenantId>())),
            Self::InvalidParameter => parameter(Location::Query("limit".to_owned()), rejected(PageLimit::parse("0"))),
            Self::Unauthenticated => Error::NoCredentials,
            Self::Forbidden => Error::Forbidden("This requires the role operator"),
            Self::PasswordChangeRequired => Error::PasswordChangeRequired,
            Self::NotFound => Error::NotFound { what: "tenant" },
            Self::Conflict(kind) => return Problem::new(StatusCode::CONFLICT, kind, kind.meaning),
            Self::PreconditionFailed => Error::PreconditionFailed { what: "tenant" },
            Self::InvalidBody => Error::Invalid(vec![
                InputError::new(Location::Body("/name".to_owned()), required()),
                InputError::new(Location::Body("/colour".to_owned()), unknown_field(&["name"])),
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

/// The error of a parser about an invalid value.
fn rejected<T>(parsed: Result<T, InvalidValue>) -> InvalidValue {
    parsed.err().unwrap_or_else(|| InvalidValue::format("is valid"))
}

fn capitalized(word: &str) -> String {
    let letters = word.chars().filter(|character| character.is_alphanumeric());
    letters.enumerate().map(|(index, letter)| if index == 0 { letter.to_ascii_uppercase() } else { letter }).collect()
}
