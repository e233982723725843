//! The one error of this program: what could not be done, why, and what to do about it, in one line.

use std::fmt;

/// Shorthand for what nearly everything here returns.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Something that could not be done.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    what: String,
    why: String,
    remedy: Option<String>,
}

impl Failure {
    /// `what` could not be done, because of `why`.
    pub(crate) fn new(what: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { what: what.into(), why: why.to_string(), remedy: None }
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy.get_or_insert(remedy.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", one_line(&self.what), one_line(&self.why))?;
        match &self.remedy {
            Some(remedy) => write!(f, ". {}", one_line(remedy)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// Says what was being done when something failed.
pub(crate) trait Attempt<T> {
    /// Turns an error into a [`Failure`] to do `what`.
    fn attempt(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> Attempt<T> for std::result::Result<T, E> {
    fn attempt(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Failure::new(what(), error))
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
    fn a_failure_is_one_line_whatever_a_tool_printed() {
        let failure = Failure::new("MinIO could not be built", "go: line 1\n\n  line 2\n").remedy("Free some space.");
        assert_eq!(failure.to_string(), "MinIO could not be built: go: line 1 | line 2. Free some space");
    }
}
