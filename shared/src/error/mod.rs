//! Errors, independent of HTTP. The message of an [`Error`] is for the caller; its source is for the log. The two never mix.

mod conflict;

use std::fmt;

use crate::types::{FaultCode, InvalidValue};

pub use self::conflict::{Conflict, UNSETTLED_SECONDS};

/// A store, queue or service that the platform depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependency {
    IdentityProvider,
    Kafka,
    MongoDb,
    /// The platform database, or a PostgreSQL cluster of tenants.
    PostgreSql,
    Redis,
    S3,
    Sqs,
    /// The PostgreSQL database of one tenant.
    TenantDatabase,
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdentityProvider => "The identity provider",
            Self::Kafka => "Kafka",
            Self::MongoDb => "MongoDB",
            Self::PostgreSql => "PostgreSQL",
            Self::Redis => "Redis",
            Self::S3 => "Object storage",
            Self::Sqs => "SQS",
            Self::TenantDatabase => "The tenant's database",
        })
    }
}

/// An error in the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    pub location: Location,
    /// The rule that the value breaks, for programs.
    pub code: FaultCode,
    /// The message for the caller.
    pub detail: String,
}

impl InputError {
    pub fn new(location: Location, error: InvalidValue) -> Self {
        Self { location, code: error.code, detail: error.detail }
    }
}

/// The place of an error in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A JSON pointer (RFC 6901) into the body; empty for the whole body.
    Body(String),
    /// The name of a header.
    Header(&'static str),
    /// The name of a path parameter.
    Path(&'static str),
    /// The name of a query parameter.
    Query(String),
}

/// An error. `Display` is safe to show to a caller; the sources of [`Error::Unavailable`] and [`Error::Internal`] are only for
/// the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is well-formed but invalid; all errors at once.
    #[error("{} of the request {} invalid", if .0.len() == 1 { "One value" } else { "Several values" }, if .0.len() == 1 { "is" } else { "are" })]
    Invalid(Vec<InputError>),
    /// The request cannot be parsed.
    #[error("{0}")]
    Malformed(String),
    #[error("No {what} with this id exists")]
    NotFound {
        /// A noun, such as `tenant`.
        what: &'static str,
    },
    /// The current state forbids the request.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// `If-Match` contains another revision.
    #[error("The {what} has changed since the revision in If-Match; fetch it again")]
    PreconditionFailed {
        /// A noun, such as `tenant`.
        what: &'static str,
    },
    /// The request has no credentials.
    #[error("A bearer token is required: Authorization: Bearer <token>")]
    NoCredentials,
    /// The credentials are invalid.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The caller is authenticated but not authorized.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The caller's password was set by somebody else.
    #[error("Your password is temporary; choose your own before anything else: POST /auth/change-password")]
    PasswordChangeRequired,
    #[error("Too many attempts; try again in {retry_after_seconds} s")]
    TooManyRequests {
        /// Seconds until another attempt may succeed.
        retry_after_seconds: u64,
    },
    /// A dependency cannot be reached, or answers too late. A later attempt may succeed.
    #[error("{dependency} is temporarily unavailable; try again in a few seconds")]
    Unavailable {
        dependency: Dependency,
        #[source]
        source: Option<Source>,
    },
    /// The request took longer than its deadline.
    #[error("The request could not be completed in time; try again in a few seconds")]
    DeadlineExceeded,
    /// A bug, or a wrong configuration.
    #[error("Internal error; the request id identifies it in the log")]
    Internal(#[source] Source),
}

/// The underlying error.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }

    pub fn unavailable(dependency: Dependency, source: impl Into<Source>) -> Self {
        Self::Unavailable { dependency, source: Some(source.into()) }
    }

    /// An error in the body, at a JSON pointer.
    pub fn invalid_body(pointer: impl Into<String>, error: InvalidValue) -> Self {
        Self::Invalid(vec![InputError::new(Location::Body(pointer.into()), error)])
    }

    /// An error in a header.
    pub fn invalid_header(name: &'static str, error: InvalidValue) -> Self {
        Self::Invalid(vec![InputError::new(Location::Header(name), error)])
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::DeadlineExceeded | Self::TooManyRequests { .. })
    }

    /// The messages of the error and of all its sources, for the log.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// The messages of an error and of all its sources.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
