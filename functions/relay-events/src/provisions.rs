//! Messages to the queue of `provision-tenant` that the request which owes them could not send. One may be sent twice: the
//! worker takes a lease on the operation that it names.

use std::time::Duration;

use futures::{StreamExt, stream};
use shared::{
    error::Result,
    invocation::Deadline,
    store::outbox::{self, Message},
};

use crate::App;

/// Messages that are claimed together.
const BATCH: i64 = 50;

/// Messages that are on their way at the same time.
const AT_ONCE: usize = 10;

/// How long a message is ours: longer than it takes to send a batch to a queue that does not answer, shorter than the time
/// between two runs of the schedule.
const LEASE: Duration = Duration::from_secs(30);

/// Sends what is due, until nothing is or the queue fails. `sent` counts.
pub(crate) async fn send_due(app: &App, deadline: Deadline, sent: &mut usize) -> Result<()> {
    let connection = app.postgres.get().await?;
    while !deadline.is_near() {
        let messages = outbox::claim_provisions(&connection, BATCH, LEASE).await?;
        let last = messages.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
        let mut failure = None;
        let mut delivered = Vec::with_capacity(messages.len());
        let mut answers = stream::iter(messages).map(|message| send(app, message)).buffer_unordered(AT_ONCE);
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(id) => delivered.push(id),
                Err(error) => failure = Some(error),
            }
        }
        outbox::delete(&connection, &delivered).await?;
        *sent += delivered.len();
        if let Some(error) = failure {
            return Err(error);
        }
        if last {
            break;
        }
    }
    Ok(())
}

async fn send(app: &App, message: Message) -> Result<i64> {
    app.sqs.send(&app.provision_queue, &message.payload.to_string()).await?;
    tracing::info!(operation.id = %message.message_id, tenant.id = message.key, "sent to the queue");
    Ok(message.id)
}
