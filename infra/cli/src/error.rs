//! The exit codes of this program, and the one error type.

use std::{fmt, io, process::ExitCode};

pub(crate) type Result<T, E = CliError> = std::result::Result<T, E>;

/// How this program ended. The numbers are documented in the README; scripts depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Success = 0,
    /// The API refused the request, or could not process it; or a file cannot be used.
    Failed = 1,
    /// The arguments are wrong. Also the code of `clap`.
    Usage = 2,
    /// `--wait`: the operation failed, and is rolled back.
    OperationFailed = 3,
    /// `--wait`: the operation had not ended in time, and goes on.
    TimedOut = 4,
    /// No token, or one that the API does not accept.
    NotSignedIn = 5,
    /// No response: name, network, TLS, or time.
    Unreachable = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What ends this program early.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) exit: Exit,
    message: String,
    is_transient: bool,
}

impl CliError {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), is_transient: exit == Exit::Unreachable }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Whether the same request may succeed later.
    pub(crate) fn is_transient(&self) -> bool {
        self.is_transient
    }

    #[must_use]
    pub(crate) fn transient(mut self, is_transient: bool) -> Self {
        self.is_transient = is_transient;
        self
    }

    /// Adds a line to the message.
    #[must_use]
    pub(crate) fn and(mut self, line: &str) -> Self {
        self.message.push('\n');
        self.message.push_str(line);
        self
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The output cannot be written. A reader that closes its end, such as `head`, has what it wants, and is no error.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Success, "");
        }
        Self::failed(format!("error: the output cannot be written: {error}"))
    }
}
