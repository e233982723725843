//! Why a step could not be done, for the saga and for an operator.

use std::{error::Error as _, time::Duration};

use crate::{
    error::{Dependency, Error},
    operations::store::journal::JournalError,
};

/// What a fault means for the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// It may pass: the same may succeed with the next delivery.
    Transient,
    /// The same would fail again: the operation turns round.
    Permanent,
    /// Another worker has the operation: this one stops at once and writes nothing more.
    Fenced,
}

/// A fault of a step.
#[derive(Debug)]
pub(super) struct StepError {
    /// What it means.
    pub(super) severity: Severity,
    /// For an operator: a sentence without secrets, hosts or contents of rows.
    pub(super) reason: String,
    /// For the log.
    pub(super) source: Option<Error>,
}

impl StepError {
    /// A fault that the next delivery would meet again.
    pub(super) fn permanent(reason: impl Into<String>) -> Self {
        Self { severity: Severity::Permanent, reason: reason.into(), source: None }
    }

    /// A fault that may pass.
    pub(super) fn transient(reason: impl Into<String>) -> Self {
        Self { severity: Severity::Transient, reason: reason.into(), source: None }
    }

    /// Another worker has the operation.
    pub(super) fn fenced() -> Self {
        let reason = JournalError::Fenced.to_string();
        Self { severity: Severity::Fenced, reason, source: None }
    }

    /// A step that took longer than it may.
    pub(super) fn late(limit: Duration) -> Self {
        Self::transient(format!("It took longer than {} s", limit.as_secs()))
    }

    pub(super) fn is_fenced(&self) -> bool {
        self.severity == Severity::Fenced
    }

    /// With another reason.
    pub(super) fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..self }
    }

    /// The worse of two outcomes that were reached at once.
    pub(super) fn worse(one: Result<(), Self>, other: Result<(), Self>) -> Result<(), Self> {
        match (one, other) {
            (Err(one), Err(other)) => Err(if other.severity > one.severity { other } else { one }),
            (Err(fault), Ok(())) | (Ok(()), Err(fault)) => Err(fault),
            (Ok(()), Ok(())) => Ok(()),
        }
    }
}

impl From<Error> for StepError {
    fn from(error: Error) -> Self {
        let severity = if error.is_transient() { Severity::Transient } else { Severity::Permanent };
        Self { severity, reason: describe(&error), source: Some(error) }
    }
}

impl From<JournalError> for StepError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Fenced => Self::fenced(),
            JournalError::Store(error) => {
                // The journal is not the step: whatever ails it, the step itself is not proved impossible.
                Self { severity: Severity::Transient, reason: describe(&error), source: Some(error) }
            }
        }
    }
}

impl From<tokio_postgres::Error> for StepError {
    fn from(error: tokio_postgres::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<mongodb::error::Error> for StepError {
    fn from(error: mongodb::error::Error) -> Self {
        Error::from(error).into()
    }
}

/// A sentence for an operator. Of what a server said it repeats only what cannot hold a secret, an address or a row.
fn describe(error: &Error) -> String {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(error) = source.downcast_ref::<tokio_postgres::Error>()
            && let Some(answer) = error.as_db_error()
        {
            let (code, message) = (answer.code().code(), answer.message());
            return format!("{} answered: {message} (SQLSTATE {code})", Dependency::PostgreSql);
        }
        if let Some(error) = source.downcast_ref::<mongodb::error::Error>()
            && let mongodb::error::ErrorKind::Command(answer) = &*error.kind
        {
            return format!("{} answered: {} (code {})", Dependency::MongoDb, answer.code_name, answer.code);
        }
        next = source.source();
    }
    match error {
        Error::Unavailable { dependency, .. } => {
            format!("{dependency} could not be reached, or did not answer in time")
        }
        Error::Internal(_) => "An unexpected fault; the log of provision-tenant has the details".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_for_operators_repeats_nothing_of_an_unknown_source() {
        let fault = StepError::from(Error::internal("password=hunter2 host=10.0.0.1"));
        assert_eq!(fault.severity, Severity::Permanent);
        assert!(!fault.reason.contains("hunter2"));
        let fault = StepError::from(Error::unavailable(Dependency::MongoDb, "mongodb://root:hunter2@db"));
        assert_eq!(fault.severity, Severity::Transient);
        assert_eq!(fault.reason, "MongoDB could not be reached, or did not answer in time");
    }

    #[test]
    fn of_two_faults_the_worse_decides() {
        let worst = StepError::worse(Err(StepError::transient("a")), Err(StepError::permanent("b"))).unwrap_err();
        assert_eq!(worst.reason, "b");
        let worst = StepError::worse(Err(StepError::fenced()), Err(StepError::permanent("b"))).unwrap_err();
        assert!(worst.is_fenced());
        assert!(StepError::worse(Ok(()), Ok(())).is_ok());
    }
}
