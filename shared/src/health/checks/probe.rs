//! Probing over a connection, with a deadline.
//!
//! A probe gives up at its deadline and closes the connection that it waited on, so that no later probe uses it. A connection
//! that responded is kept for the next probe, because connecting costs the server more than the query.

use std::{
    pin::pin,
    sync::{Mutex, PoisonError},
};

use futures::future::{Either, select};
use tokio::time::{Instant, timeout_at};

use crate::health::checks::{
    deadline::{ProbeDeadline, Timed},
    error::ProbeError,
};

/// What a probe does over a connection.
pub(super) trait Check: Send + Sync {
    /// Closes when it is dropped.
    type Connection: Send;
    type Response: Send;

    fn open(&self) -> impl Future<Output = Result<Self::Connection, ProbeError>> + Send;

    /// Queries the server. The caller stops waiting at the deadline.
    fn query(
        &self,
        connection: &mut Self::Connection,
        deadline: ProbeDeadline,
    ) -> impl Future<Output = Result<Self::Response, ProbeError>> + Send;
}

/// A check, and the connection of its last success.
pub(super) struct Probe<C: Check> {
    pub(super) check: C,
    kept: Mutex<Option<C::Connection>>,
}

impl<C: Check> Probe<C> {
    pub(super) fn new(check: C) -> Self {
        Self { check, kept: Mutex::new(None) }
    }

    pub(super) async fn run(&self, deadline: ProbeDeadline) -> Result<Timed<C::Response>, ProbeError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Timed { value: (connection, response), .. } = deadline.wait(self.attempts(kept, deadline)).await?;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        Ok(response)
    }

    /// Queries over the kept connection. That one may be dead without notice, so a new connection is tried when it fails, and
    /// also beside it when half of the time has passed.
    async fn attempts(
        &self,
        kept: Option<C::Connection>,
        deadline: ProbeDeadline,
    ) -> Result<(C::Connection, Timed<C::Response>), ProbeError> {
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

    async fn fresh(&self, deadline: ProbeDeadline) -> Result<(C::Connection, Timed<C::Response>), ProbeError> {
        let begun = Instant::now();
        let connection = self.check.open().await?;
        let (connection, response) = self.attempt(connection, deadline).await?;
        Ok((connection, Timed { took: begun.elapsed(), ..response }))
    }

    async fn attempt(
        &self,
        mut connection: C::Connection,
        deadline: ProbeDeadline,
    ) -> Result<(C::Connection, Timed<C::Response>), ProbeError> {
        let begun = Instant::now();
        let value = self.check.query(&mut connection, deadline).await?;
        Ok((connection, Timed { value, took: begun.elapsed() }))
    }
}
