//! The rows of the outbox, each a pending message.

use std::time::Duration;

use deadpool_postgres::{GenericClient, Transaction};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    error::Result,
    events::{Event, provision_message},
    sql::{self, Columns},
    telemetry::trace,
    types::{ImpersonationId, OperationId, TenantId, TraceId},
};

/// The relay leaves a message to the provisioner alone for this long after its commit, because the request tries to deliver it
/// first.
const HEAD_START: Duration = Duration::from_secs(5);

/// Enqueues an event for Kafka.
pub async fn enqueue_event(transaction: &Transaction<'_>, event: &Event) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO outbox (destination, message_id, key, payload, trace_id) VALUES ('event', $1, $2, $3, $4)",
        )
        .await?;
    let trace_id = trace::current_or_new();
    transaction.execute(&statement, &[&event.id, &event.subject, &event.payload, &trace_id]).await?;
    Ok(())
}

/// Enqueues a message to the queue of `provision-tenant`.
pub async fn enqueue_provision(
    transaction: &Transaction<'_>,
    tenant_id: TenantId,
    operation_id: OperationId,
) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO outbox (destination, message_id, key, payload, available_at, trace_id)
             VALUES ('provision', $1, $2, $3, now() + make_interval(secs => $4), $5)",
        )
        .await?;
    let trace_id = trace::current_or_new();
    let (key, payload) = (tenant_id.to_string(), provision_message(operation_id, trace_id));
    transaction.execute(&statement, &[&operation_id, &key, &payload, &HEAD_START.as_secs_f64(), &trace_id]).await?;
    Ok(())
}

/// Deletes the message about an operation after it was delivered.
pub async fn delete_provision(client: &impl GenericClient, operation_id: OperationId) -> Result<()> {
    let statement =
        client.prepare_cached("DELETE FROM outbox WHERE destination = 'provision' AND message_id = $1").await?;
    client.execute(&statement, &[&operation_id]).await?;
    Ok(())
}

/// Enqueues the denial of an impersonation whose token expires at `expires_at`. It is due at once, so
/// that the relay that the request pokes writes it if the request cannot. Writing it twice does no harm.
pub async fn enqueue_denial(
    transaction: &Transaction<'_>,
    impersonation_id: ImpersonationId,
    expires_at: OffsetDateTime,
) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO outbox (destination, message_id, key, payload, trace_id) VALUES ('denial', $1, $2, $3, $4)",
        )
        .await?;
    let payload = json!({ "expires_at": expires_at.unix_timestamp() });
    let key = impersonation_id.to_string();
    transaction.execute(&statement, &[&impersonation_id, &key, &payload, &trace::current_or_new()]).await?;
    Ok(())
}

/// Deletes the denials of impersonations after they were written to the live list.
pub async fn delete_denials(client: &impl GenericClient, ids: &[Uuid]) -> Result<()> {
    let statement =
        client.prepare_cached("DELETE FROM outbox WHERE destination = 'denial' AND message_id = ANY($1)").await?;
    client.execute(&statement, &[&ids]).await?;
    Ok(())
}

/// A pending message.
#[derive(Debug, Clone)]
pub struct OutboxMessage {
    /// The row. Later rows with the same key have higher ids.
    pub id: i64,
    /// The id of the event, the operation, or the impersonation.
    pub message_id: Uuid,
    /// The subject of an event: a tenant's id, or the name of a component. Events with the same key are sent in order.
    pub key: String,
    pub payload: Value,
    pub trace_id: TraceId,
    /// When its change was committed.
    pub created_at: OffsetDateTime,
    /// How many times Kafka refused the event, or a relay leased the message.
    pub attempts: i32,
}

sql::columns! {
    MessageColumns -> OutboxMessage {
        id: "id",
        message_id: "message_id",
        key: "key",
        payload: "payload",
        trace_id: "trace_id",
        created_at: "created_at",
        attempts: "attempts",
    }
}

/// The pending messages, for a super-admin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backlog {
    /// All rows, due or not.
    pub rows: i64,
    /// Rows of events that Kafka refused.
    pub refused: i64,
    /// Age of the oldest row in seconds; 0 without rows.
    pub oldest_seconds: f64,
}

sql::columns! {
    BacklogColumns -> Backlog {
        rows: "count(*)",
        refused: "count(*) FILTER (WHERE destination = 'event' AND attempts > 0)",
        oldest_seconds: "coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8",
    }
}

/// Counts the pending messages.
pub async fn count_backlog(client: &impl GenericClient) -> Result<Backlog> {
    let statement = client.prepare_cached(sql::text!("SELECT ", BacklogColumns::LIST, " FROM outbox")).await?;
    BacklogColumns::read(&client.query_one(&statement, &[]).await?)
}

/// Where messages are delivered at least once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The queue of `provision-tenant`.
    Provision,
    /// The live list in Redis.
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

/// Leases the oldest due messages to a destination, so that no other relay gets them for the duration of `lease`. A message
/// that is not deleted by then is due again.
pub async fn lease_due(
    client: &impl GenericClient,
    destination: Destination,
    limit: i64,
    lease: Duration,
) -> Result<Vec<OutboxMessage>> {
    let statement = client
        .prepare_cached(&format!(
            // The destination is a literal, because a parameter would keep the planner from its partial index.
            "UPDATE outbox
             SET available_at = now() + make_interval(secs => $2), attempts = attempts + 1
             WHERE id IN (
                 SELECT id FROM outbox
                 WHERE destination = '{}' AND available_at <= now()
                 ORDER BY available_at
                 LIMIT $1
                 FOR UPDATE SKIP LOCKED
             )
             RETURNING {}",
            destination.as_str(),
            MessageColumns::LIST
        ))
        .await?;
    client.query(&statement, &[&limit, &lease.as_secs_f64()]).await?.iter().map(MessageColumns::read).collect()
}

/// Makes leased messages due again, because they could not be delivered.
pub async fn release(client: &impl GenericClient, ids: &[i64]) -> Result<()> {
    let statement = client.prepare_cached("UPDATE outbox SET available_at = now() WHERE id = ANY($1)").await?;
    client.execute(&statement, &[&ids]).await?;
    Ok(())
}

/// Deletes rows whose messages were delivered.
pub async fn delete_messages(client: &impl GenericClient, ids: &[i64]) -> Result<()> {
    let statement = client.prepare_cached("DELETE FROM outbox WHERE id = ANY($1)").await?;
    client.execute(&statement, &[&ids]).await?;
    Ok(())
}

/// Events that are due, in the order of their rows. A refused event that is not due yet holds back the later events with
/// its key.
///
/// Rows with the same key become visible in their order, because every transaction that enqueues one holds a lock on the
/// subject: the tenant's row, or the states of health.
pub async fn list_due_events(client: &impl GenericClient, limit: i64) -> Result<Vec<OutboxMessage>> {
    let statement = client
        .prepare_cached(sql::text!(
            "SELECT ",
            MessageColumns::LIST,
            " FROM outbox o
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
             LIMIT $1"
        ))
        .await?;
    client.query(&statement, &[&limit]).await?.iter().map(MessageColumns::read).collect()
}

/// Defers an event that Kafka refused.
pub async fn defer_event(client: &impl GenericClient, id: i64, delay: Duration) -> Result<()> {
    let statement = client
        .prepare_cached(
            "UPDATE outbox SET available_at = now() + make_interval(secs => $2), attempts = attempts + 1 WHERE id = $1",
        )
        .await?;
    client.execute(&statement, &[&id, &delay.as_secs_f64()]).await?;
    Ok(())
}
