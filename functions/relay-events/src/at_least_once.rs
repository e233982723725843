//! At-least-once delivery, shared by concurrent relays: lease messages, deliver them, delete them.

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

/// Messages per lease.
const BATCH: i64 = 50;

/// Longer than the timeouts of a batch that is sent to an unresponsive server, shorter than the interval of the schedule.
const LEASE: Duration = Duration::from_secs(30);

/// The rows of the delivered messages, and the error of the others.
pub(crate) type Delivered = (Vec<i64>, Option<Error>);

/// Delivers messages until none is due, time runs out or `deliver` fails. Adds the number of delivered messages to `count`,
/// also when it returns an error. Then the messages that were leased and not delivered stay leased, except denials: they are due
/// again at once.
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
        let is_last_batch = messages.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
        let leased: Vec<i64> = messages.iter().map(|message| message.id).collect();
        let (delivered, failure) = deliver(app, messages).await;
        events::store::delete_messages(&connection, &delivered).await?;
        *count += delivered.len();
        if let Some(error) = failure {
            if destination == Destination::Denial {
                events::store::release(&connection, &leased).await?;
            }
            return Err(error);
        }
        if is_last_batch {
            break;
        }
    }
    Ok(())
}
