//! Denials of impersonations which the request that ended them could not write to the deny list. Writing a denial twice has
//! the same effect as writing it once.

use futures::FutureExt;
use shared::{
    error::{Error, Result},
    events::store::{Destination, OutboxMessage},
    revocations::deny_list::Denial,
    worker::Deadline,
};
use time::OffsetDateTime;

use crate::{
    App,
    at_least_once::{Delivered, deliver_due},
};

/// Writes denials until none is due, time runs out or Redis fails. Adds their number to `written`.
pub(crate) async fn write_due(app: &App, deadline: Deadline, written: &mut usize) -> Result<()> {
    deliver_due(app, Destination::Denial, deadline, written, |app, messages| deliver(app, messages).boxed()).await
}

async fn deliver(app: &App, messages: Vec<OutboxMessage>) -> Delivered {
    match write(app, &messages).await {
        Ok(()) => (messages.iter().map(|message| message.id).collect(), None),
        Err(error) => (Vec::new(), Some(error)),
    }
}

async fn write(app: &App, messages: &[OutboxMessage]) -> Result<()> {
    let denials = messages.iter().map(read_denial).collect::<Result<Vec<_>>>()?;
    app.deny_list.write(&denials).await
}

fn read_denial(message: &OutboxMessage) -> Result<Denial> {
    let seconds = message.payload["expires_at"].as_i64();
    let expires_at = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let expires_at = expires_at.ok_or_else(|| Error::internal(format!("the denial {} has no expiry", message.key)))?;
    Ok(Denial { sid: message.message_id, expires_at })
}
