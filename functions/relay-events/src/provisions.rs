//! Messages to the queue of `provision-tenant` that the request which owes them could not send. One may be sent twice: the
//! worker takes a lease on the operation that it names.

use futures::{FutureExt, StreamExt, stream};
use shared::{
    error::Result,
    events::store::{Destination, OutboxMessage},
    worker::Deadline,
};

use crate::{
    App,
    claimed::{Delivered, deliver_due},
};

/// Messages that are on their way at the same time.
const AT_ONCE: usize = 10;

/// Sends what is due, until nothing is or the queue fails. `sent` counts.
pub(crate) async fn send_due(app: &App, deadline: Deadline, sent: &mut usize) -> Result<()> {
    deliver_due(app, Destination::Provision, deadline, sent, |app, messages| deliver(app, messages).boxed()).await
}

async fn deliver(app: &App, messages: Vec<OutboxMessage>) -> Delivered {
    let (mut delivered, mut failure) = (Vec::with_capacity(messages.len()), None);
    let mut answers = stream::iter(messages).map(|message| send(app, message)).buffer_unordered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(id) => delivered.push(id),
            Err(error) => failure = Some(error),
        }
    }
    (delivered, failure)
}

async fn send(app: &App, message: OutboxMessage) -> Result<i64> {
    app.sqs.send(&app.provision_queue, &message.payload.to_string()).await?;
    tracing::info!(operation.id = %message.message_id, tenant.id = message.key, "sent to the queue");
    Ok(message.id)
}
