//! Why a probe failed.

use std::{borrow::Cow, io, time::Duration};

use crate::{
    clients::{postgres::sql_state, tls_problem},
    error::Error,
};

/// Why a probe failed. The text is part of the report: it contains no host, no user and no words of the server.
#[derive(Debug, Clone)]
pub(super) struct ProbeError {
    pub(super) text: Cow<'static, str>,
    /// The full chain of causes, for the log only.
    cause: Option<String>,
}

impl ProbeError {
    pub(super) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), cause: None }
    }

    /// `text` for the report, and `error` with its sources for the log.
    pub(super) fn because(text: impl Into<Cow<'static, str>>, error: &dyn std::error::Error) -> Self {
        let mut cause = error.to_string();
        let mut next = error.source();
        while let Some(source) = next {
            cause = format!("{cause}: {source}");
            next = source.source();
        }
        Self { text: text.into(), cause: Some(cause) }
    }

    pub(super) fn timed_out(limit: Duration) -> Self {
        Self::new(format!("no response within {} ms", limit.as_millis()))
    }

    pub(super) fn log(&self, component: &str) {
        let (text, cause) = (&*self.text, self.cause.as_deref());
        tracing::warn!(health.component = component, error = cause, "probe failed: {text}");
    }
}

impl From<Error> for ProbeError {
    fn from(error: Error) -> Self {
        let text = describe(&error);
        Self::because(text, &error)
    }
}

/// Describes an error by the causes that all clients share.
fn describe(error: &Error) -> &'static str {
    if let Some(problem) = tls_problem(error) {
        return problem;
    }
    if let Some(code) = sql_state(error) {
        // Class 28: invalid authorization specification.
        return if code.code().starts_with("28") { "credentials rejected" } else { "the server returned an error" };
    }
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::ConnectionRefused => "connection refused",
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no response in time",
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof => "connection closed by the server",
                _ => "unreachable",
            };
        }
        if let Some(error) = cause.downcast_ref::<redis::RedisError>()
            && error.kind() == redis::ErrorKind::AuthenticationFailed
        {
            return "credentials rejected";
        }
        next = cause.source();
    }
    match error {
        Error::Unavailable { .. } => "unreachable",
        Error::DeadlineExceeded => "no response in time",
        _ => "the server returned an error",
    }
}
