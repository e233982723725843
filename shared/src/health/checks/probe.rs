//! Asking one thing, by a deadline.
//!
//! Whatever a probe waits for is given up at its deadline, and the connection that it waited on is closed: no later probe
//! finds it again. One that answered is kept for the next probe, as to connect costs the server more than the question.

use std::{
    borrow::Cow,
    io,
    pin::pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::future::{Either, select};
use tokio::time::{Instant, timeout_at};

use crate::{clients::postgres::sql_state, error::Error};

/// When a probe is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    from: Instant,
    limit: Duration,
}

impl Deadline {
    /// So long after a moment.
    pub(super) fn new(from: Instant, limit: Duration) -> Self {
        Self { from, limit }
    }

    /// What is left.
    pub(super) fn remaining(self) -> Duration {
        self.at().saturating_duration_since(Instant::now())
    }

    /// Waits for an answer until then.
    pub(super) async fn ask<T>(
        self,
        question: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<Answered<T>, Trouble> {
        let begun = Instant::now();
        match timeout_at(self.at(), question).await {
            Ok(answer) => answer.map(|answer| Answered { answer, took: begun.elapsed() }),
            Err(_) => Err(Trouble::late(self.limit)),
        }
    }

    fn at(self) -> Instant {
        self.from + self.limit
    }

    /// The middle of what is left.
    fn middle(self) -> Instant {
        Instant::now() + self.remaining() / 2
    }
}

/// An answer, and how long it took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered<T> {
    pub(super) answer: T,
    pub(super) took: Duration,
}

/// What is wrong, for an operator to read: no host, no user, none of the server's own words.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) text: Cow<'static, str>,
    /// All that is known of it, for the log.
    cause: Option<String>,
}

impl Trouble {
    pub(super) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), cause: None }
    }

    /// `text` to the operator, and `error` to the log.
    pub(super) fn because(text: impl Into<Cow<'static, str>>, error: &dyn std::error::Error) -> Self {
        let mut cause = error.to_string();
        let mut next = error.source();
        while let Some(source) = next {
            cause = format!("{cause}: {source}");
            next = source.source();
        }
        Self { text: text.into(), cause: Some(cause) }
    }

    /// There was no answer.
    pub(super) fn late(limit: Duration) -> Self {
        Self::new(format!("no answer within {} ms", limit.as_millis()))
    }

    /// Tells the log.
    pub(super) fn log(&self, component: &str) {
        let (text, cause) = (&*self.text, self.cause.as_deref());
        tracing::warn!(health.component = component, error = cause, "a probe failed: {text}");
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let text = describe(&error);
        Self::because(text, &error)
    }
}

/// What an error means, by the causes that all clients share.
fn describe(error: &Error) -> &'static str {
    if let Some(code) = sql_state(error) {
        // Class 28: invalid authorization specification.
        return if code.code().starts_with("28") { "it refuses the credentials" } else { "it answers with an error" };
    }
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::ConnectionRefused => "it refuses connections",
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no answer in time",
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof => "it closes the connection",
                _ => "it cannot be reached",
            };
        }
        if let Some(error) = cause.downcast_ref::<redis::RedisError>()
            && error.kind() == redis::ErrorKind::AuthenticationFailed
        {
            return "it refuses the credentials";
        }
        next = cause.source();
    }
    match error {
        Error::Unavailable { .. } => "it cannot be reached",
        Error::DeadlineExceeded => "no answer in time",
        _ => "it answers with an error",
    }
}

/// A question that needs a connection.
pub(super) trait Probe: Send + Sync {
    /// It is closed when it is dropped.
    type Connection: Send;
    /// What there is to know.
    type Answer: Send;

    /// Connects.
    fn open(&self) -> impl Future<Output = Result<Self::Connection, Trouble>> + Send;

    /// Asks. Nobody waits for the answer after the deadline.
    fn ask(
        &self,
        connection: &mut Self::Connection,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Self::Answer, Trouble>> + Send;
}

/// A probe, and the connection that answered last.
pub(super) struct Asker<P: Probe> {
    pub(super) probe: P,
    kept: Mutex<Option<P::Connection>>,
}

impl<P: Probe> Asker<P> {
    pub(super) fn new(probe: P) -> Self {
        Self { probe, kept: Mutex::new(None) }
    }

    /// Asks, by the deadline.
    pub(super) async fn ask(&self, deadline: Deadline) -> Result<Answered<P::Answer>, Trouble> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Answered { answer: (connection, answered), .. } = deadline.ask(self.attempts(kept, deadline)).await?;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        Ok(answered)
    }

    /// Asks over the connection that was kept. It may have died unseen, so when it fails, and also when half of the time is
    /// over, a new one is asked as well.
    async fn attempts(
        &self,
        kept: Option<P::Connection>,
        deadline: Deadline,
    ) -> Result<(P::Connection, Answered<P::Answer>), Trouble> {
        let Some(kept) = kept else { return self.fresh(deadline).await };
        let mut old = pin!(self.attempt(kept, deadline));
        match timeout_at(deadline.middle(), &mut old).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(_)) => return self.fresh(deadline).await,
            Err(_) => {}
        }
        match select(old, pin!(self.fresh(deadline))).await {
            Either::Left((Ok(found), _)) | Either::Right((Ok(found), _)) => Ok(found),
            Either::Left((Err(_), fresh)) => fresh.await,
            Either::Right((Err(_), old)) => old.await,
        }
    }

    async fn fresh(&self, deadline: Deadline) -> Result<(P::Connection, Answered<P::Answer>), Trouble> {
        let begun = Instant::now();
        let connection = self.probe.open().await?;
        let (connection, answered) = self.attempt(connection, deadline).await?;
        Ok((connection, Answered { took: begun.elapsed(), ..answered }))
    }

    async fn attempt(
        &self,
        mut connection: P::Connection,
        deadline: Deadline,
    ) -> Result<(P::Connection, Answered<P::Answer>), Trouble> {
        let begun = Instant::now();
        let answer = self.probe.ask(&mut connection, deadline).await?;
        Ok((connection, Answered { answer, took: begun.elapsed() }))
    }
}
