//! Messages that several relays share, and that may be delivered twice: each is claimed, delivered and struck.

use std::time::Duration;

use futures::future::BoxFuture;
use shared::{
    error::{Error, Result},
    events::{
        self,
        store::{Destination, OutboxMessage},
    },
    worker::Deadline,
};

use crate::App;

/// Messages that are claimed together.
const BATCH: i64 = 50;

/// How long a message is ours: longer than it takes to deliver a batch to what does not answer, shorter than the time between
/// two runs of the schedule.
const LEASE: Duration = Duration::from_secs(30);

/// The rows that were delivered, and what failed.
pub(crate) type Delivered = (Vec<i64>, Option<Error>);

/// Delivers what is due, until nothing is or `deliver` fails. `count` counts.
pub(crate) async fn deliver_due<'a>(
    app: &'a App,
    destination: Destination,
    deadline: Deadline,
    count: &mut usize,
    deliver: impl Fn(&'a App, Vec<OutboxMessage>) -> BoxFuture<'a, Delivered>,
) -> Result<()> {
    let connection = app.postgres.get().await?;
    while !deadline.is_near() {
        let messages = events::store::lease_due(&connection, destination, BATCH, LEASE).await?;
        if messages.is_empty() {
            break;
        }
        let last = messages.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
        let (delivered, failure) = deliver(app, messages).await;
        events::store::delete_messages(&connection, &delivered).await?;
        *count += delivered.len();
        if let Some(error) = failure {
            return Err(error);
        }
        if last {
            break;
        }
    }
    Ok(())
}
