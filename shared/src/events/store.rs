//! The outbox: messages that a committed change owes to the outside. A row goes only when its message is known to be
//! delivered, so a commit and its message cannot part.
//!
//! Requests write rows (the `insert_` functions, in the transaction of their change); the relay takes them. Messages to
//! the queue and denials may be delivered twice. Events are sent once: the relay that holds the [`EventsLock`] writes down what it is about
//! to send ([`open_batch`]) before it sends it, and in one statement strikes both when it is sent ([`close_batch`]).

use std::time::Duration;

use deadpool_postgres::{GenericClient, Transaction};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    clients::postgres::{Connection, Session},
    error::Result,
    events::Event,
    types::{ImpersonationId, OperationId, TenantId},
};

/// How long a request has to send its own message before the relay does it.
const HEAD_START: Duration = Duration::from_secs(5);

/// Owes an event to Kafka.
pub async fn insert_event(transaction: &Transaction<'_>, event: &Event) -> Result<()> {
    let statement = transaction
        .prepare_cached("INSERT INTO outbox (destination, message_id, key, payload) VALUES ('event', $1, $2, $3)")
        .await?;
    transaction.execute(&statement, &[&event.id, &event.subject, &event.payload]).await?;
    Ok(())
}

/// Owes the queue of `provision-tenant` a message about an operation.
pub async fn insert_provision(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    operation_id: OperationId,
) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO outbox (destination, message_id, key, payload, available_at)
             VALUES ('provision', $1, $2, $3, now() + make_interval(secs => $4))",
        )
        .await?;
    let payload = json!({ "operation_id": operation_id });
    transaction
        .execute(&statement, &[&operation_id.0, &tenant_id.to_string(), &payload, &HEAD_START.as_secs_f64()])
        .await?;
    Ok(())
}

/// The message about an operation is in the queue: nothing is owed any more.
pub async fn delete_provision(client: &impl GenericClient, operation_id: OperationId) -> Result<()> {
    let statement =
        client.prepare_cached("DELETE FROM outbox WHERE destination = 'provision' AND message_id = $1").await?;
    client.execute(&statement, &[&operation_id.0]).await?;
    Ok(())
}

/// Owes the deny list the denial of an impersonation whose token expires at `expires_at`.
pub async fn insert_denial(
    transaction: &Transaction<'_>,
    impersonation_id: ImpersonationId,
    expires_at: OffsetDateTime,
) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO outbox (destination, message_id, key, payload, available_at)
             VALUES ('denial', $1, $2, $3, now() + make_interval(secs => $4))",
        )
        .await?;
    let payload = json!({ "expires_at": expires_at.unix_timestamp() });
    let key = impersonation_id.to_string();
    transaction.execute(&statement, &[&impersonation_id.0, &key, &payload, &HEAD_START.as_secs_f64()]).await?;
    Ok(())
}

/// These impersonations are denied: nothing is owed any more.
pub async fn delete_denials(client: &impl GenericClient, ids: &[Uuid]) -> Result<()> {
    let statement =
        client.prepare_cached("DELETE FROM outbox WHERE destination = 'denial' AND message_id = ANY($1)").await?;
    client.execute(&statement, &[&ids]).await?;
    Ok(())
}

/// A message that is owed.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its row; later rows of one key have higher numbers.
    pub id: i64,
    /// The event's id, the operation's, or the impersonation's.
    pub message_id: Uuid,
    /// The subject of the event: a tenant's id, or a component. Events of one key are sent in order.
    pub key: String,
    /// What is sent.
    pub payload: Value,
    /// How often it was refused, or claimed.
    pub attempts: i32,
}

/// What waits, for an operator to see.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backlog {
    /// Rows, due or not.
    pub rows: i64,
    /// Rows of events that were refused.
    pub refused: i64,
    /// Age of the oldest row in seconds; 0 when there is none.
    pub oldest_seconds: f64,
}

/// Counts what waits.
pub async fn backlog(client: &impl GenericClient) -> Result<Backlog> {
    let statement = client
        .prepare_cached(
            "SELECT count(*),
                    count(*) FILTER (WHERE destination = 'event' AND attempts > 0),
                    coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
             FROM outbox",
        )
        .await?;
    let row = client.query_one(&statement, &[]).await?;
    Ok(Backlog { rows: row.try_get(0)?, refused: row.try_get(1)?, oldest_seconds: row.try_get(2)? })
}

/// What may be delivered twice, and is claimed by whoever delivers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The queue of `provision-tenant`.
    Provision,
    /// The deny list.
    Denial,
}

impl Destination {
    fn as_str(self) -> &'static str {
        match self {
            Self::Provision => "provision",
            Self::Denial => "denial",
        }
    }
}

/// Takes messages to a destination that are due, oldest first, and keeps others from taking them for `lease`. Those that are
/// not deleted by then are due again.
pub async fn claim(
    client: &impl GenericClient,
    destination: Destination,
    limit: i64,
    lease: Duration,
) -> Result<Vec<Message>> {
    let statement = client
        .prepare_cached(&format!(
            // Said and not passed, so that the destination's index serves.
            "UPDATE outbox
             SET available_at = now() + make_interval(secs => $2), attempts = attempts + 1
             WHERE id IN (
                 SELECT id FROM outbox
                 WHERE destination = '{}' AND available_at <= now()
                 ORDER BY available_at
                 LIMIT $1
                 FOR UPDATE SKIP LOCKED
             )
             RETURNING id, message_id, key, payload, attempts",
            destination.as_str()
        ))
        .await?;
    client.query(&statement, &[&limit, &lease.as_secs_f64()]).await?.iter().map(read_message).collect()
}

/// Strikes rows whose messages are delivered.
pub async fn delete(client: &impl GenericClient, ids: &[i64]) -> Result<()> {
    let statement = client.prepare_cached("DELETE FROM outbox WHERE id = ANY($1)").await?;
    client.execute(&statement, &[&ids]).await?;
    Ok(())
}

/// Events that are due, in the order of their rows. An event that was refused and waits holds back those of its key that
/// come after it.
///
/// Rows of one key become visible in their order, as whoever writes one holds the lock on what the key names: the tenant's
/// row, or the states of health.
pub async fn list_events(client: &impl GenericClient, limit: i64) -> Result<Vec<Message>> {
    let statement = client
        .prepare_cached(
            "SELECT id, message_id, key, payload, attempts
             FROM outbox o
             WHERE destination = 'event'
             AND available_at <= now()
             AND NOT EXISTS (
                 SELECT FROM outbox refused
                 WHERE refused.destination = 'event'
                 AND refused.attempts > 0
                 AND refused.available_at > now()
                 AND refused.key = o.key
                 AND refused.id < o.id
             )
             ORDER BY id
             LIMIT $1",
        )
        .await?;
    client.query(&statement, &[&limit]).await?.iter().map(read_message).collect()
}

/// Puts off an event that was refused.
pub async fn defer_event(client: &impl GenericClient, id: i64, delay: Duration) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE outbox SET available_at = now() + make_interval(secs => $2), attempts = attempts + 1 WHERE id = $1",
        )
        .await?;
    client.execute(&statement, &[&id, &delay.as_secs_f64()]).await?;
    Ok(())
}

/// What was written down last about the sending of events to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which producer sent last.
    pub producer: Uuid,
    /// The batch that it was about to send, if that is not known to have ended.
    pub open: Option<OpenBatch>,
}

/// Events that may have been sent, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBatch {
    /// The topic's offsets, by partition, that lie before every one of them.
    pub offsets: Vec<i64>,
    /// The ids of the events.
    pub message_ids: Vec<Uuid>,
}

/// What was written down last about a topic.
pub async fn find_checkpoint(client: &impl GenericClient, topic: &str) -> Result<Option<Checkpoint>> {
    let statement =
        client.prepare_cached("SELECT producer, offsets, message_ids FROM outbox_checkpoints WHERE topic = $1").await?;
    let Some(row) = client.query_opt(&statement, &[&topic]).await? else { return Ok(None) };
    let open = match (row.try_get(1)?, row.try_get(2)?) {
        (Some(offsets), Some(message_ids)) => Some(OpenBatch { offsets, message_ids }),
        _ => None,
    };
    Ok(Some(Checkpoint { producer: row.try_get(0)?, open }))
}

/// Writes down what is about to be sent, and by whom. The caller holds the lock on this very connection.
pub async fn open_batch(
    client: &impl GenericClient,
    topic: &str,
    producer: Uuid,
    offsets: &[i64],
    message_ids: &[Uuid],
) -> Result<()> {
    let statement = client
        .prepare_cached(
            "INSERT INTO outbox_checkpoints (topic, producer, offsets, message_ids)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT (topic) DO UPDATE
             SET producer = $2, offsets = $3, message_ids = $4, updated_at = now()",
        )
        .await?;
    client.execute(&statement, &[&topic, &producer, &offsets, &message_ids]).await?;
    Ok(())
}

/// The batch is on the topic: strikes its rows and its record, in one statement.
pub async fn close_batch(client: &impl GenericClient, topic: &str, message_ids: &[Uuid]) -> Result<()> {
    let statement = client
        .prepare_cached(
            "WITH closed AS (
                 UPDATE outbox_checkpoints SET offsets = NULL, message_ids = NULL, updated_at = now() WHERE topic = $1
             )
             DELETE FROM outbox WHERE destination = 'event' AND message_id = ANY($2)",
        )
        .await?;
    client.execute(&statement, &[&topic, &message_ids]).await?;
    Ok(())
}

/// The batch is not on the topic and never will be: its rows are still owed.
pub async fn abandon_batch(client: &impl GenericClient, topic: &str) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE outbox_checkpoints SET offsets = NULL, message_ids = NULL, updated_at = now() WHERE topic = $1",
        )
        .await?;
    client.execute(&statement, &[&topic]).await?;
    Ok(())
}

/// Any number that no other advisory lock of the platform database has.
const EVENTS_LOCK: i64 = 0x6f75_7462_6f78;

/// The right to send events: one session of PostgreSQL has it at a time. It ends with the session, so all that needs it is
/// done on [`Self::connection`]: who has lost the right can write nothing.
pub struct EventsLock(Session);

impl EventsLock {
    /// Takes the right, unless another session has it. A session that is silent for longer than `idle` loses it: its
    /// process is frozen, or its host gone.
    pub async fn try_acquire(connection: Connection, idle: Duration) -> Result<Option<Self>> {
        // From here on the session does not go back to the pool but by `release`: however a run ends, its right ends with it.
        let session = Session::of(connection);
        let statement = session.prepare_cached("SELECT pg_try_advisory_lock($1)").await?;
        if !session.query_one(&statement, &[&EVENTS_LOCK]).await?.try_get::<_, bool>(0)? {
            session.give_back();
            return Ok(None);
        }
        let statement = session.prepare_cached("SELECT set_config('idle_session_timeout', $1, false)").await?;
        session.query_one(&statement, &[&idle.as_millis().to_string()]).await?;
        Ok(Some(Self(session)))
    }

    /// The session that has the right.
    pub fn connection(&self) -> &Connection {
        &self.0
    }

    /// Gives the right back, and the connection to its pool.
    pub async fn release(self) -> Result<()> {
        let statement = self
            .0
            .prepare_cached("SELECT pg_advisory_unlock($1), set_config('idle_session_timeout', '0', false)")
            .await?;
        self.0.query_one(&statement, &[&EVENTS_LOCK]).await?;
        self.0.give_back();
        Ok(())
    }
}

fn read_message(row: &Row) -> Result<Message> {
    Ok(Message {
        id: row.try_get(0)?,
        message_id: row.try_get(1)?,
        key: row.try_get(2)?,
        payload: row.try_get(3)?,
        attempts: row.try_get(4)?,
    })
}
