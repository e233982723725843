//! SQL of the outbox.
//!
//! A request enqueues its messages in the transaction of its change. A row is deleted only after its message was delivered,
//! so no commit loses its message.
//!
//! - [`outbox`] has the rows. Messages to the SQS queue and denials are delivered at least once: a relay leases them,
//!   delivers them and deletes them.
//! - [`batches`] has the record of the events that the relay is sending to Kafka. With it, events are delivered exactly once:
//!   the relay records a batch before it sends it ([`open_batch`]), and deletes the record and the rows in one statement
//!   afterwards ([`close_batch`]).
//! - [`lock`] lets one relay at a time send events.

pub mod batches;
pub mod lock;
pub mod outbox;

pub use batches::{Checkpoint, OpenBatch, abandon_batch, close_batch, find_checkpoint, open_batch};
pub use lock::EventsLock;
pub use outbox::{
    Backlog, Destination, OutboxMessage, count_backlog, defer_event, delete_denials, delete_messages, delete_provision,
    enqueue_denial, enqueue_event, enqueue_provision, lease_due, list_due_events, release,
};
