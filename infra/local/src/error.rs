//! The one error type of this program. It prints as one line: the action, the reason and a remedy.

use std::fmt;

/// The result of most functions of this program.
pub(crate) type Result<T, E = DevError> = std::result::Result<T, E>;

/// An action that failed.
#[derive(Clone, Debug)]
pub(crate) struct DevError {
    action: String,
    reason: String,
    remedy: Option<String>,
}

impl DevError {
    /// `action` is a clause such as "Kafka cannot be started".
    pub(crate) fn new(action: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { action: action.into(), reason: reason.to_string(), remedy: None }
    }

    /// Adds an instruction for the developer, unless the error has one already.
    #[must_use]
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy.get_or_insert(remedy.into());
        self
    }
}

impl fmt::Display for DevError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", one_line(&self.action), one_line(&self.reason))?;
        match &self.remedy {
            Some(remedy) => write!(f, ". {}", one_line(remedy)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DevError {}

/// Adds the failed action to any error.
pub(crate) trait ErrorContext<T> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> ErrorContext<T> for std::result::Result<T, E> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| DevError::new(action(), error))
    }
}

fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" | ").trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_prints_as_one_line_even_when_a_tool_printed_several() {
        let error = DevError::new("MinIO cannot be built", "go: line 1\n\n  line 2\n").remedy("Free some disk space.");
        assert_eq!(error.to_string(), "MinIO cannot be built: go: line 1 | line 2. Free some disk space");
    }
}
