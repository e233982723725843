//! Events that the platform's other services are told of, as CloudEvents 1.0 in structured JSON.
//!
//! They go to the Kafka topic by way of the outbox, never straight from a request, so that a commit and its event cannot
//! part. An event is delivered in the order of its subject; `id` names it for those who want to be sure that they act once.

#[cfg(all(feature = "postgres", feature = "sqs"))]
mod dispatch;
#[cfg(feature = "postgres")]
pub mod store;

#[cfg(all(feature = "postgres", feature = "sqs"))]
pub use dispatch::Dispatcher;

use std::fmt::Display;

use serde::Serialize;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// An event of one subject.
#[derive(Debug, Clone)]
pub struct Event {
    /// Names the event.
    pub id: Uuid,
    /// What it is about: a tenant's id, or the name of a component of the platform. Also the Kafka key.
    pub subject: String,
    /// CloudEvents 1.0, structured.
    pub payload: Value,
}

impl Event {
    /// An event of type `kind` that happens now. Whoever inserts several of one `subject` sees to their order.
    pub fn new(kind: &str, subject: impl Display, data: impl Serialize) -> Self {
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
