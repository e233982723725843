//! The points at which tests stop a relay, as if its process died or froze there.

use std::sync::Arc;

use futures::future::BoxFuture;

/// Called and awaited at every [`Boundary`]. It may delay the relay, or never return.
pub type BatchObserver = Arc<dyn Fn(Boundary) -> BoxFuture<'static, ()> + Send + Sync>;

/// A point between two effects of sending a batch of events. A relay that dies there leaves one done and the other not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// PostgreSQL has the record of the batch.
    Recorded,
    /// Kafka has the messages, in an open transaction.
    Sent,
    /// Kafka has committed the transaction; PostgreSQL still has the rows.
    Committed,
}
