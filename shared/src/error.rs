//! What went wrong, without HTTP. An [`Error`] has one meaning for the caller and, where there is more to know, a source
//! for the log; the two never mix.

use std::fmt;

/// A store or queue that the platform depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dependency {
    /// The identity provider of the platform.
    IdentityProvider,
    /// Kafka.
    Kafka,
    /// A MongoDB cluster.
    MongoDb,
    /// The platform database or a PostgreSQL cluster of tenants.
    PostgreSql,
    /// Redis.
    Redis,
    /// S3 or MinIO.
    S3,
    /// SQS.
    Sqs,
    /// The PostgreSQL database of one tenant.
    TenantDatabase,
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdentityProvider => "the identity provider",
            Self::Kafka => "Kafka",
            Self::MongoDb => "MongoDB",
            Self::PostgreSql => "PostgreSQL",
            Self::Redis => "Redis",
            Self::S3 => "object storage",
            Self::Sqs => "SQS",
            Self::TenantDatabase => "the tenant's database",
        })
    }
}

/// One fault of an input, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    /// Where: a JSON pointer (RFC 6901) into the body, or the name of a parameter.
    pub location: Location,
    /// What is wrong, for the one who sent it.
    pub detail: String,
}

/// Where in a request a fault is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// JSON pointer (RFC 6901) into the body; empty is the whole body.
    Body(String),
    /// A header, by name.
    Header(&'static str),
    /// A path parameter, by name.
    Path(&'static str),
    /// A query parameter, by name.
    Query(String),
}

/// What went wrong. `Display` is safe to show to a caller; the sources of [`Error::Unavailable`] and [`Error::Internal`]
/// are for the log alone.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is well-formed but wrong; every fault of it at once.
    #[error("{} of the request cannot be accepted", if .0.len() == 1 { "One value" } else { "Several values" })]
    Invalid(Vec<InputError>),
    /// The request cannot be read at all.
    #[error("{0}")]
    Malformed(String),
    /// There is no such thing.
    #[error("There is no {what} with this id")]
    NotFound {
        /// What was looked for, a noun.
        what: &'static str,
    },
    /// The state of things forbids it. The text says which, and what is possible.
    #[error("{0}")]
    Conflict(String),
    /// `If-Match` names another revision.
    #[error("The {what} was changed since the revision that If-Match names; fetch it again")]
    PreconditionFailed {
        /// What was to be changed, a noun.
        what: &'static str,
    },
    /// Who asks has not said who they are.
    #[error("This needs a bearer token: Authorization: Bearer <token>")]
    NoCredentials,
    /// Who asks is not known.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// Who asks is known and may not.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Too often.
    #[error("Too many attempts; try again in {retry_after_seconds} s")]
    TooManyRequests {
        /// Seconds until another attempt can succeed.
        retry_after_seconds: u64,
    },
    /// A dependency cannot be reached, or answers too late. Trying again later may help.
    #[error("{dependency} is not available at the moment; try again in a few seconds")]
    Unavailable {
        /// Which.
        dependency: Dependency,
        /// For the log.
        #[source]
        source: Option<Source>,
    },
    /// The request took longer than its deadline.
    #[error("The request could not be finished in time; try again in a few seconds")]
    DeadlineExceeded,
    /// A fault of ours.
    #[error("Something went wrong on our side; the request id finds it in the log")]
    Internal(#[source] Source),
}

/// The underlying error, of whatever type.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// A result with our [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A fault of ours, with its cause.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }

    /// A dependency that failed, with its cause.
    pub fn unavailable(dependency: Dependency, source: impl Into<Source>) -> Self {
        Self::Unavailable { dependency, source: Some(source.into()) }
    }

    /// One fault of a body, at a JSON pointer.
    pub fn invalid_body(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![InputError { location: Location::Body(pointer.into()), detail: detail.into() }])
    }

    /// One fault of a query parameter.
    pub fn invalid_query(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![InputError { location: Location::Query(name.into()), detail: detail.into() }])
    }

    /// One fault of a header.
    pub fn invalid_header(name: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![InputError { location: Location::Header(name), detail: detail.into() }])
    }

    /// Whether the same call may succeed later, without anything being changed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::DeadlineExceeded | Self::TooManyRequests { .. })
    }

    /// The error and all its sources, for the log.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error and all its sources, of whatever type.
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
