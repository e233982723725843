//! Denials of impersonations which the request that ended them could not write to the live list, and the re-assertion of the
//! live list. Repeating either has no further effect.

use std::time::Duration;

use futures::FutureExt;
use shared::{
    error::{Error, Result},
    events::store::{Destination, OutboxMessage},
    revocations::{live_list::Denial, reassert},
    worker::Deadline,
};
use time::OffsetDateTime;

use crate::{
    App,
    at_least_once::{Delivered, deliver_due},
};

/// How long a run waits until it tries again, while Redis fails and denials are due.
pub(crate) const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Adds the live impersonations that are missing from the live list, and sets `restored` to their number.
pub(crate) async fn reassert(app: &App, restored: &mut usize) -> Result<()> {
    *restored = reassert::reassert(&app.postgres.get().await?, &app.live_list).await?;
    Ok(())
}

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
    app.live_list.write(&denials).await
}

fn read_denial(message: &OutboxMessage) -> Result<Denial> {
    let seconds = message.payload["expires_at"].as_i64();
    let expires_at = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let expires_at = expires_at.ok_or_else(|| Error::internal(format!("the denial {} has no expiry", message.key)))?;
    Ok(Denial { sid: message.message_id, expires_at })
}
