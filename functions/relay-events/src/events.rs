//! Delivers events from the outbox to the Kafka topic: in the order of their subject, each exactly once.
//!
//! # How
//!
//! An event's row is in PostgreSQL and its message in Kafka, and no transaction spans both. Therefore:
//!
//! 1. One relay sends at a time: the one that holds a session-level advisory lock of PostgreSQL. All writes below use the
//!    session that holds the lock, so a relay that lost it (because its session broke, or was idle for too long) can write
//!    nothing.
//! 2. The relay uses a transactional producer, whose transactional id is the same in all relays. When a producer registers
//!    with Kafka (`init_transactions`), Kafka aborts an open transaction of an earlier producer, completes one that is being
//!    committed, and fences the earlier producers off, so that they can send nothing more. A relay registers *before* it
//!    writes the record of step 3, never after.
//! 3. Before it sends a batch, the relay records it in PostgreSQL: the ids of the events, the end offsets of the topic, and
//!    the producer that will send the batch.
//! 4. It sends the batch in one transaction of Kafka, so either all events of the batch are on the topic or none.
//! 5. It deletes the rows and the record in one statement of PostgreSQL.
//!
//! If a relay finds a record of step 3, an earlier relay died, froze, or lost its connection to PostgreSQL or Kafka between
//! steps 3 and 5. The relay registers a new producer, after which no event of that batch can reach the topic any more. Then
//! it reads the topic from the recorded offsets to the end, committed transactions only. If it finds one event of the batch,
//! all of them are on the topic, and it deletes their rows. If it finds none, none will ever be there, and it sends them like
//! any others. A producer from an earlier invocation is reused only if the record names it as the last one.
//!
//! # Assumptions
//!
//! - The topic retains messages for longer than the interruption of a batch can last, and is not compacted. If the topic was
//!   recreated, or no longer has the recorded offsets, the relay logs an error and reads the messages that remain. The batch
//!   may then be sent twice.
//! - PostgreSQL and Kafka do not lose committed data. If the outbox is restored from a backup, the events that were sent
//!   since the backup are sent again.
//! - Readers use `isolation.level=read_committed`, which is the default of librdkafka but not of the Java client. Otherwise
//!   they also receive the messages of aborted transactions.
//! - A topic belongs to one platform database, because the producers of two would fence each other off. Connections reach
//!   PostgreSQL directly, or through a proxy that keeps a session on one connection.
//!
//! In any case, a reader for which a duplicate would be harmful can recognize it by the header `ce_id`.
//!
//! # Refused events
//!
//! Kafka refuses a message that is too large or violates the topic's policy. The relay finds it by halving the batch. The
//! event stays in the outbox, is retried at increasing intervals, and is logged as an error. It holds back the later events
//! of its own subject, to keep their order, and no others.

use std::time::Duration;

use shared::{
    error::Result,
    events::{
        self,
        store::{Checkpoint, EventsLock, OutboxMessage},
    },
    telemetry::{
        metrics::{self, Metric},
        trace,
    },
    worker::Deadline,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    App, Boundary,
    event_sender::{EventSender, SendError},
    event_topic::EventTopic,
};

/// Maximum number of events per transaction.
const MAX_BATCH: i64 = 500;

/// Delay before the first retry of a refused event. It doubles with each retry.
const FIRST_DELAY: Duration = Duration::from_mins(1);

const MAX_DELAY: Duration = Duration::from_hours(1);

/// Sends events until none is due or time runs out. Adds their number to `sent`.
///
/// Returns at once while another relay is sending. No event is missed, because that relay looks for due events again after
/// it has released the lock.
pub(crate) async fn send_due(app: &App, deadline: Deadline, sent: &mut usize) -> Result<()> {
    loop {
        let connection = app.postgres.get().await?;
        if deadline.is_near() || events::store::list_due_events(&connection, 1).await?.is_empty() {
            return Ok(());
        }
        // A session that is idle for longer than a relay can run belongs to one that is frozen or gone.
        let idle_timeout = deadline.remaining() + Duration::from_secs(5);
        let Some(lock) = EventsLock::try_acquire(connection, idle_timeout).await? else { return Ok(()) };
        send_batches(app, &lock, deadline, sent).await?;
        lock.release().await?;
    }
}

/// Sends batch after batch while holding the lock. An error drops the producer, and the next run continues from the record.
async fn send_batches(app: &App, lock: &EventsLock, deadline: Deadline, sent: &mut usize) -> Result<()> {
    let topic_name = &app.kafka.topic;
    let checkpoint = events::store::find_checkpoint(lock.connection(), topic_name).await?;
    let mut sender = reusable_sender(app, checkpoint.as_ref()).await?;
    let topic = EventTopic::open(&app.kafka, sender.producer(), deadline).await?;
    sender.fence_others(deadline).await?;
    if let Some(batch) = checkpoint.and_then(|checkpoint| checkpoint.open) {
        let delivered = topic.contains_any(&batch.offsets, &batch.message_ids, deadline).await?;
        tracing::warn!(events = batch.message_ids.len(), delivered, "an earlier relay did not finish this batch");
        if delivered {
            events::store::close_batch(lock.connection(), topic_name, &batch.message_ids).await?;
            *sent += batch.message_ids.len();
        } else {
            events::store::abandon_batch(lock.connection(), topic_name).await?;
        }
    }
    // All batches of this run come after these offsets.
    let offsets = topic.end_offsets(deadline).await?;
    drop(topic);
    let mut limit = MAX_BATCH;
    while !deadline.is_near() {
        let events = events::store::list_due_events(lock.connection(), limit).await?;
        if events.is_empty() {
            break;
        }
        let ids: Vec<Uuid> = events.iter().map(|event| event.message_id).collect();
        events::store::open_batch(lock.connection(), topic_name, sender.id(), &offsets, &ids).await?;
        app.reached(Boundary::Recorded).await;
        match sender.send(app, &events, deadline).await {
            Ok(()) => {
                app.reached(Boundary::Committed).await;
                events::store::close_batch(lock.connection(), topic_name, &ids).await?;
                report_lag(&events);
                *sent += events.len();
                limit = MAX_BATCH.min(limit * 2);
            }
            Err(SendError::Refused(reason)) => {
                // Aborts the open transaction. Only then is it certain that the batch will not reach the topic.
                sender = EventSender::new(&app.kafka)?;
                sender.fence_others(deadline).await?;
                events::store::abandon_batch(lock.connection(), topic_name).await?;
                if let [event] = events.as_slice() {
                    trace::within(event.trace_id, defer(lock, event, &reason)).await?;
                } else {
                    limit = i64::try_from(events.len() / 2).unwrap_or(1);
                }
            }
            Err(SendError::Unknown(error)) => return Err(error),
        }
    }
    *app.sender.lock().await = Some(sender);
    Ok(())
}

/// The producer of an earlier invocation if it was the last to send and its last batch is closed; otherwise a new one.
async fn reusable_sender(app: &App, checkpoint: Option<&Checkpoint>) -> Result<EventSender> {
    match (app.sender.lock().await.take(), checkpoint) {
        (Some(sender), Some(last)) if last.producer == sender.id() && last.open.is_none() => Ok(sender),
        _ => EventSender::new(&app.kafka),
    }
}

/// Reports how long the oldest event of a batch took from its commit to the topic.
fn report_lag(events: &[OutboxMessage]) {
    if let Some(oldest) = events.iter().map(|event| event.created_at).min() {
        let lag = (OffsetDateTime::now_utc() - oldest).max(time::Duration::ZERO);
        metrics::report(&[(Metric::RelayLag, lag.as_seconds_f64() * 1000.0)]);
    }
}

async fn defer(lock: &EventsLock, event: &OutboxMessage, reason: &str) -> Result<()> {
    let delay = retry_delay(event.attempts);
    tracing::error!(
        event.id = %event.message_id,
        event.subject = event.key,
        attempts = event.attempts + 1,
        retry_in_seconds = delay.as_secs(),
        error = reason,
        "Kafka refused an event; it stays in the outbox and holds back the later events of its subject"
    );
    events::store::defer_event(lock.connection(), event.id, delay).await
}

fn retry_delay(attempts: i32) -> Duration {
    let doubled = u32::try_from(attempts).ok().and_then(|attempts| 2_u32.checked_pow(attempts));
    doubled.and_then(|factor| FIRST_DELAY.checked_mul(factor)).unwrap_or(MAX_DELAY).min(MAX_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_retry_delay_of_a_refused_event_doubles_up_to_the_maximum() {
        assert_eq!(retry_delay(0), Duration::from_mins(1));
        assert_eq!(retry_delay(3), Duration::from_mins(8));
        assert_eq!(retry_delay(40), MAX_DELAY);
    }
}
