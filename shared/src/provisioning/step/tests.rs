//! The classes and reasons of errors.

use super::*;

#[test]
fn a_reason_contains_nothing_from_an_unknown_source() {
    let error = StepError::from(Error::internal("password=hunter2 host=10.0.0.1"));
    assert_eq!(error.severity, Severity::Permanent);
    assert!(!error.reason.contains("hunter2"));
    let error = StepError::from(Error::unavailable(Dependency::MongoDb, "mongodb://root:hunter2@db"));
    assert_eq!(error.severity, Severity::Unavailable);
    assert_eq!(error.reason, "MongoDB could not be reached, or did not answer in time");
}

/// An answer of MongoDB.
fn answer(code: i32) -> mongodb::error::Error {
    let answer = serde_json::json!({ "code": code, "codeName": "Name", "errmsg": "secret" });
    mongodb::error::ErrorKind::Command(serde_json::from_value(answer).unwrap()).into()
}

#[test]
fn a_store_that_refuses_the_credentials_or_is_full_is_waited_for() {
    for code in [13, 18, 14_031] {
        let error = StepError::from(answer(code));
        assert_eq!(error.severity, Severity::Unavailable, "{code}");
        assert_eq!(error.reason, format!("MongoDB answered: Name (code {code})"));
    }
    // `BadValue`: the same command fails again.
    assert_eq!(StepError::from(answer(2)).severity, Severity::Permanent);
}

#[test]
fn an_error_is_permanent_only_if_every_later_attempt_fails() {
    for (error, severity) in [
        (Error::unavailable(Dependency::PostgreSql, "down"), Severity::Unavailable),
        (Error::DeadlineExceeded, Severity::Transient),
        (Error::TooManyRequests { retry_after_seconds: 1 }, Severity::Transient),
        (Error::internal("a bug"), Severity::Permanent),
        (Error::NotFound { what: "tenant" }, Severity::Permanent),
    ] {
        let description = error.to_string();
        assert_eq!(StepError::from(error).severity, severity, "{description}");
    }
    let late = StepError::timed_out(StoreKind::Mongodb, APPLY_TIMEOUT);
    assert_eq!(late.severity, Severity::Unavailable);
    assert_eq!(late.reason, "MongoDB did not answer in time: the step took longer than 15 s");
}

#[test]
fn an_error_of_another_store_than_that_of_the_step_names_it() {
    let own = StepError::transient("down");
    assert_eq!(own.store, None);
    assert_eq!(own.of_store(StoreKind::Mongodb).store, Some(StoreKind::Mongodb));
}

#[test]
fn an_error_of_the_journal_is_never_permanent() {
    assert!(StepError::from(JournalError::Fenced).is_fenced());
    for (error, severity) in [
        (Error::unavailable(Dependency::PostgreSql, "down"), Severity::Unavailable),
        (Error::DeadlineExceeded, Severity::Transient),
        (Error::internal("a bug"), Severity::Transient),
    ] {
        let error = StepError::from(JournalError::Store(error));
        assert_eq!(error.severity, severity, "{error:?}");
        assert!(!error.is_fenced());
    }
}

#[test]
fn the_log_contains_the_cause_and_the_reason_can_be_replaced() {
    let error = StepError::from(Error::internal("a bug")).with_reason("A reason");
    assert_eq!(error.reason, "A reason");
    assert!(error.cause().ends_with(": a bug"), "{}", error.cause());
    assert_eq!(StepError::permanent("A reason").cause(), "");
}

#[test]
fn an_operation_waits_as_long_as_the_breaker_of_its_store_is_open() {
    let open = |store, cluster: &str| OpenBreaker { store, cluster: cluster.to_owned(), wait: APPLY_TIMEOUT };
    for (breaker, store) in [
        (open(StoreKind::Postgresql, "main"), "The PostgreSQL cluster `main`"),
        (open(StoreKind::Mongodb, "main"), "The MongoDB cluster `main`"),
        (open(StoreKind::ObjectStorage, ""), "Object storage"),
    ] {
        let error = StepError::breaker_open(&breaker);
        assert_eq!((error.severity, error.retry_after), (Severity::Unavailable, Some(APPLY_TIMEOUT)));
        assert!(error.reason.starts_with(store), "{}", error.reason);
    }
}

#[test]
fn the_more_severe_of_two_errors_decides() {
    let (transient, permanent) = (|| Err(StepError::transient("a")), || Err(StepError::permanent("b")));
    for worse in [StepError::worse(transient(), permanent()), StepError::worse(permanent(), transient())] {
        assert_eq!(worse.unwrap_err().reason, "b");
    }
    // Of equals, the first.
    let equals = StepError::worse(transient(), Err(StepError::transient("c")));
    assert_eq!(equals.unwrap_err().reason, "a");
    let worse = StepError::worse(Err(StepError::fenced()), permanent()).unwrap_err();
    assert!(worse.is_fenced() && !StepError::permanent("b").is_fenced());
    assert_eq!(StepError::worse(Ok(()), permanent()).unwrap_err().reason, "b");
    assert!(StepError::worse(Ok(()), Ok(())).is_ok());
}
