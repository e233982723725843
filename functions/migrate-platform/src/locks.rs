//! Waiting for locks. A migration that waits for a lock makes all later sessions wait behind it, so it waits for a short time
//! only, and tries again.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use shared::{
    clients::postgres::{SqlState, connect_once, sql_state},
    config::PostgresConfig,
    error::{Dependency, Error, Result},
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_postgres::Client;

/// How long one attempt waits for other sessions' locks. Other sessions wait as long at most.
pub(crate) const LOCK_TIMEOUT: &str = "2s";

/// The pause between attempts, in which the sessions that waited behind the last one go on.
const PAUSE: Duration = Duration::from_secs(3);

/// When a run of migrations gives up.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long a migration of the platform database waits for the locks of other sessions.
    pub locks: Duration,
    /// After this time since the start, the migration of no further tenant begins.
    pub tenants: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        // The function has 15 minutes.
        Self { locks: Duration::from_mins(1), tenants: Duration::from_mins(13) }
    }
}

/// Repeats `attempt` while it fails because of another session's lock. The error says which sessions held it. `attempt` must
/// change nothing when it fails.
pub(crate) async fn with_retries<T>(
    patience: Patience,
    blockers: &Blockers,
    mut attempt: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let end = Instant::now() + patience.locks;
    loop {
        match attempt().await {
            Err(error) if sql_state(&error) == Some(&SqlState::LOCK_NOT_AVAILABLE) => {}
            result => return result,
        }
        let sessions = blockers.latest();
        tracing::warn!(sessions, "a migration waits for the locks of other sessions");
        if Instant::now() + PAUSE > end {
            let seconds = patience.locks.as_secs();
            let reason = format!(
                "no lock within {seconds} s; the migration that waited changed nothing; blocked by: {sessions}"
            );
            return Err(Error::unavailable(Dependency::PostgreSql, reason));
        }
        sleep(PAUSE).await;
    }
}

/// Watches, on a connection of its own, which sessions block another one.
pub(crate) struct Blockers {
    latest: Arc<Mutex<String>>,
    watch: JoinHandle<()>,
}

impl Blockers {
    /// Watches the session of `client`.
    pub(crate) async fn of(client: &Client, config: &PostgresConfig) -> Result<Self> {
        let session: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
        let observer = connect_once(config, None).await?;
        let latest = Arc::new(Mutex::new("unknown sessions".to_owned()));
        let found = Arc::clone(&latest);
        let watch = tokio::spawn(async move {
            while let Ok(rows) = observer.query(BLOCKERS, &[&session]).await {
                let sessions: Vec<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
                if !sessions.is_empty() {
                    *found.lock().unwrap_or_else(PoisonError::into_inner) = sessions.join("; ");
                }
                sleep(Duration::from_millis(200)).await;
            }
        });
        Ok(Self { latest, watch })
    }

    fn latest(&self) -> String {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Blockers {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// Describes the sessions that block a session. Statements are left out, because they may contain personal data. What belongs to
/// other roles is unknown without `pg_read_all_stats`.
const BLOCKERS: &str = "
    SELECT concat_ws(', ', 'process ' || pid, 'user ' || usename, application_name, state,
                     'transaction since ' || extract(epoch FROM clock_timestamp() - xact_start)::bigint || ' s')
    FROM pg_stat_activity
    WHERE pid = ANY (pg_blocking_pids($1))
    ORDER BY xact_start";
