//! Messages to the queue of `provision-tenant` which the request that enqueued them could not send. A message may be sent
//! twice, because the worker leases the operation and ignores the second one.

use futures::{FutureExt, StreamExt, stream};
use shared::{
    error::Result,
    events::store::{Destination, OutboxMessage},
    telemetry::trace,
    worker::Deadline,
};

use crate::{
    App,
    at_least_once::{Delivered, deliver_due},
};

/// Messages that are sent at the same time.
const CONCURRENCY: usize = 10;

/// Sends messages until none is due, time runs out or the queue fails. Adds their number to `sent`.
pub(crate) async fn send_due(app: &App, deadline: Deadline, sent: &mut usize) -> Result<()> {
    deliver_due(app, Destination::Provision, deadline, sent, |app, messages| deliver(app, messages).boxed()).await
}

async fn deliver(app: &App, messages: Vec<OutboxMessage>) -> Delivered {
    let (mut delivered, mut failure) = (Vec::with_capacity(messages.len()), None);
    let mut results = stream::iter(messages)
        .map(|message| trace::within(message.trace_id, send(app, message)))
        .buffer_unordered(CONCURRENCY);
    while let Some(result) = results.next().await {
        match result {
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
