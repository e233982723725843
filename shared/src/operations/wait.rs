//! Waiting until an operation changes.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    clients::postgres::{Postgres, Session},
    error::{Dependency, Error, Result},
    operations::{Operation, store},
    types::OperationId,
};

/// The longest wait. API Gateway ends a request after 30 s.
pub const MAX_WAIT: Duration = Duration::from_secs(20);

/// The time between two looks at the revision.
const INTERVAL: Duration = Duration::from_millis(100);

/// The deadline of one look, for a database that does not respond.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);

/// Waits until the operation has another revision than `seen`, at most for `limit`, and returns its newest state.
///
/// A connection is held only while it reads. A database that cannot be reached, such as during a restart, does not end the
/// wait; if it still cannot be reached at the end, the result is that error.
pub async fn wait_for_change(platform: &Postgres, seen: Operation, limit: Duration) -> Result<Operation> {
    let end = Instant::now() + limit;
    loop {
        let begun = Instant::now();
        let looked = match look(platform, &seen).await {
            Ok(None) => Ok(()),
            Ok(Some(changed)) => return Ok(changed),
            Err(error) if error.is_transient() => Err(error),
            Err(error) => return Err(error),
        };
        if begun >= end {
            return looked.map(|()| seen);
        }
        sleep_until(end.min(begun + INTERVAL)).await;
    }
}

/// The operation, if it has another revision than `seen`.
async fn look(platform: &Postgres, seen: &Operation) -> Result<Option<Operation>> {
    let look = async {
        // Closed if it does not respond in time, so that it delays no other request.
        let session = platform.session().await?;
        let changed = read_changed(&session, seen.id, seen.revision).await;
        session.give_back();
        changed
    };
    timeout(LOOK_TIMEOUT, look).await.unwrap_or_else(|elapsed| Err(Error::unavailable(Dependency::PostgreSql, elapsed)))
}

async fn read_changed(session: &Session, id: OperationId, seen: i64) -> Result<Option<Operation>> {
    if store::find_revision(&**session, id).await? == seen {
        return Ok(None);
    }
    store::find(&**session, id).await.map(Some)
}
