//! Events for the platform's other services, as CloudEvents 1.0 in structured JSON.
//!
//! A change enqueues its events in the outbox, in its own transaction, so either both are committed or neither. The relay
//! delivers them to the Kafka topic, in the order of their subject. A reader that must handle an event only once recognizes
//! a duplicate by its `id`.

#[cfg(feature = "sqs")]
pub mod dispatch;
mod event_type;
pub mod store;

use std::fmt::Display;

pub use event_type::EventType;

use serde::Serialize;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::types::{OperationId, TraceId};

/// An event about one subject.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: Uuid,
    /// A tenant's id, or the name of a component of the platform. Also the Kafka key.
    pub subject: String,
    /// CloudEvents 1.0 in structured JSON.
    pub payload: Value,
}

impl Event {
    /// An event of type `kind` that happens now. A caller that enqueues several events of one `subject` ensures their order
    /// with a lock.
    pub fn new(kind: EventType, subject: impl Display, data: impl Serialize) -> Self {
        Self::of_recorded_type(kind.as_str(), subject, data)
    }

    /// An event whose type was recorded before, perhaps by a version of a function that knew other types.
    pub fn of_recorded_type(kind: &str, subject: impl Display, data: impl Serialize) -> Self {
        let id = Uuid::now_v7();
        let subject = subject.to_string();
        let time = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        let payload = json!({
            "specversion": "1.0",
            "id": id,
            "source": "landlord",
            "type": kind,
            "subject": subject,
            "time": time,
            "datacontenttype": "application/json",
            "data": data,
        });
        Self { id, subject, payload }
    }
}

/// The message to the queue of `provision-tenant` about an operation that the current work has inserted.
fn provision_message(operation_id: OperationId, trace_id: TraceId) -> Value {
    json!({ "operation_id": operation_id, "trace_id": trace_id })
}
