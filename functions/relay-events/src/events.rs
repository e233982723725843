//! Events, from the outbox to the Kafka topic: in the order of their subject, each exactly once.
//!
//! # Why once
//!
//! A row and its message are in two systems, and no transaction spans both. So
//!
//! 1. One relay sends at a time: who holds a session lock of PostgreSQL. Its session makes all the writes below, so a
//!    relay that lost the lock (its session broke, or was silent for too long) can write nothing.
//! 2. The relay's producer is transactional, under an id that all relays share: when one makes itself known to Kafka
//!    (`init_transactions`), an open transaction of any before it is aborted, one that is being committed is completed,
//!    and those producers can send nothing more. That is done *before* anything is written down under (3), never after.
//! 3. Before a batch is sent, PostgreSQL is told its ids, the offsets of the topic, and which producer will send it.
//! 4. The batch is sent in one transaction, so all of it is on the topic or nothing.
//! 5. One statement of PostgreSQL deletes the rows and the record of (3).
//!
//! A relay that finds a record of (3) comes after one that died, or froze, or lost PostgreSQL or Kafka, in between. It makes
//! a new producer, by which nothing of that batch can come to the topic any more; then it reads the topic, committed
//! transactions only, from the recorded offsets to the end. A single event of the batch there means all are there: the rows
//! go. None means none ever will be: they are sent like any other. A producer that is kept from an earlier invocation is
//! used again only when the record names it as the last one.
//!
//! # What it rests on
//!
//! - The topic keeps its messages for longer than a relay can be down in the middle of a batch, and is not compacted. When
//!   it was made anew, or no longer has the recorded offsets, that is logged and what is left of it is read: the batch may
//!   then be sent again.
//! - PostgreSQL and Kafka do not go back in time. An outbox restored from a backup sends again what was sent since.
//! - Readers read committed messages only (`isolation.level=read_committed`, librdkafka's default and not Java's).
//!   Otherwise they see those of aborted transactions too.
//! - One platform database a topic: the producers of two would put each other out. Connections reach PostgreSQL itself, or
//!   through a proxy that keeps a session on one connection.
//!
//! Those for whom a repetition would be dear can tell it by the header `ce_id`, in any case.
//!
//! # Events that Kafka refuses
//!
//! A message that is too large, or that the topic's policy refuses, is found by halving its batch. It stays in the
//! outbox, is tried again ever more rarely, is logged as an error, and holds back the later events of its own subject (for
//! order) and of nobody else.

use std::time::Duration;

use shared::{
    error::Result,
    events::{
        self,
        store::{Checkpoint, EventsLock, OutboxMessage},
    },
    worker::Deadline,
};
use uuid::Uuid;

use crate::{
    App, Boundary,
    sender::{Failure, Sender},
    topic::Topic,
};

/// Events that one transaction sends at the most.
const BATCH: i64 = 500;

/// How long after it was refused first an event is tried again; then twice as long, and so on.
const FIRST_DELAY: Duration = Duration::from_mins(1);

/// How long it waits at the most.
const LONGEST_DELAY: Duration = Duration::from_hours(1);

/// Sends what is due, until nothing is or the time is up. `sent` counts. Returns at once when another relay is sending: it
/// looks again after it has given back the lock, so what this one was called for is not overlooked.
pub(crate) async fn send_due(app: &App, deadline: Deadline, sent: &mut usize) -> Result<()> {
    loop {
        let connection = app.postgres.get().await?;
        if deadline.is_near() || events::store::list_due_events(&connection, 1).await?.is_empty() {
            return Ok(());
        }
        // A relay that is silent for longer than it can run is frozen or gone, and another may go on.
        let idle = deadline.remaining() + Duration::from_secs(5);
        let Some(lock) = EventsLock::try_acquire(connection, idle).await? else { return Ok(()) };
        drain(app, &lock, deadline, sent).await?;
        lock.release().await?;
    }
}

/// Sends batch after batch, with the lock held. An error drops the producer, and leaves it to the record to say where the
/// next run goes on.
async fn drain(app: &App, lock: &EventsLock, deadline: Deadline, sent: &mut usize) -> Result<()> {
    let name = &app.kafka.topic;
    let checkpoint = events::store::find_checkpoint(lock.connection(), name).await?;
    let mut sender = sender(app, checkpoint.as_ref()).await?;
    let topic = Topic::open(&app.kafka, sender.producer(), deadline).await?;
    sender.take_over(deadline).await?;
    if let Some(batch) = checkpoint.and_then(|checkpoint| checkpoint.open) {
        let delivered = topic.has_any(&batch.offsets, &batch.message_ids, deadline).await?;
        tracing::warn!(events = batch.message_ids.len(), delivered, "an earlier relay did not finish its batch");
        if delivered {
            events::store::close_batch(lock.connection(), name, &batch.message_ids).await?;
            *sent += batch.message_ids.len();
        } else {
            events::store::abandon_batch(lock.connection(), name).await?;
        }
    }
    // Good for all batches of this run: they all come after.
    let offsets = topic.ends(deadline).await?;
    drop(topic);
    let mut limit = BATCH;
    while !deadline.is_near() {
        let events = events::store::list_due_events(lock.connection(), limit).await?;
        if events.is_empty() {
            break;
        }
        let ids: Vec<Uuid> = events.iter().map(|event| event.message_id).collect();
        events::store::open_batch(lock.connection(), name, sender.id(), &offsets, &ids).await?;
        app.reached(Boundary::Recorded).await;
        match sender.send(app, &events, deadline).await {
            Ok(()) => {
                app.reached(Boundary::Committed).await;
                events::store::close_batch(lock.connection(), name, &ids).await?;
                *sent += events.len();
                limit = BATCH.min(limit * 2);
            }
            Err(Failure::Refused(reason)) => {
                sender = Sender::new(&app.kafka)?;
                sender.take_over(deadline).await?;
                events::store::abandon_batch(lock.connection(), name).await?;
                if let [event] = events.as_slice() {
                    defer(lock, event, &reason).await?;
                } else {
                    limit = i64::try_from(events.len() / 2).unwrap_or(1);
                }
            }
            Err(Failure::Unknown(error)) => return Err(error),
        }
    }
    *app.sender.lock().await = Some(sender);
    Ok(())
}

/// The producer that sent last, if that is ours and its last batch ended well; otherwise a new one.
async fn sender(app: &App, checkpoint: Option<&Checkpoint>) -> Result<Sender> {
    match (app.sender.lock().await.take(), checkpoint) {
        (Some(sender), Some(last)) if last.producer == sender.id() && last.open.is_none() => Ok(sender),
        _ => Sender::new(&app.kafka),
    }
}

async fn defer(lock: &EventsLock, event: &OutboxMessage, reason: &str) -> Result<()> {
    let delay = delay(event.attempts);
    tracing::error!(
        event.id = %event.message_id,
        event.subject = event.key,
        attempts = event.attempts + 1,
        retry_in_seconds = delay.as_secs(),
        error = reason,
        "Kafka refuses an event; it stays in the outbox and holds back the later ones of its subject"
    );
    events::store::defer_event(lock.connection(), event.id, delay).await
}

fn delay(attempts: i32) -> Duration {
    let doubled = u32::try_from(attempts).ok().and_then(|attempts| 2_u32.checked_pow(attempts));
    doubled.and_then(|factor| FIRST_DELAY.checked_mul(factor)).unwrap_or(LONGEST_DELAY).min(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_event_is_tried_ever_more_rarely() {
        assert_eq!(delay(0), Duration::from_mins(1));
        assert_eq!(delay(3), Duration::from_mins(8));
        assert_eq!(delay(40), LONGEST_DELAY);
    }
}
