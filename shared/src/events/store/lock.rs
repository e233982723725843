//! The lock on sending events.

use std::time::Duration;

use crate::{
    clients::postgres::{Connection, Session},
    error::Result,
};

/// Any number that no other advisory lock of the platform database uses.
const KEY: i64 = 0x6f75_7462_6f78;

/// The right to send events, which one session of PostgreSQL holds at a time. It ends with the session. Every write of the
/// holder goes through [`Self::connection`], so a relay that has lost the lock can write nothing.
pub struct EventsLock(Session);

impl EventsLock {
    /// Acquires the lock; `None` while another session holds it. PostgreSQL ends a session that is idle for longer than
    /// `idle_timeout`, because its process is frozen or its host is gone.
    pub async fn try_acquire(connection: Connection, idle_timeout: Duration) -> Result<Option<Self>> {
        // From here on, only `release` returns the session to the pool: however a run ends, its lock ends with it.
        let session = Session::of(connection);
        let statement = session.prepare_cached("SELECT pg_try_advisory_lock($1)").await?;
        if !session.query_one(&statement, &[&KEY]).await?.try_get::<_, bool>(0)? {
            session.give_back();
            return Ok(None);
        }
        let statement = session.prepare_cached("SELECT set_config('idle_session_timeout', $1, false)").await?;
        session.query_one(&statement, &[&idle_timeout.as_millis().to_string()]).await?;
        Ok(Some(Self(session)))
    }

    /// The session that holds the lock.
    pub fn connection(&self) -> &Connection {
        &self.0
    }

    /// Releases the lock, and returns the connection to its pool.
    pub async fn release(self) -> Result<()> {
        let statement = self
            .0
            .prepare_cached("SELECT pg_advisory_unlock($1), set_config('idle_session_timeout', '0', false)")
            .await?;
        self.0.query_one(&statement, &[&KEY]).await?;
        self.0.give_back();
        Ok(())
    }
}
