//! Dead letters: messages that a queue gave up delivering. A message only wakes a worker, so none is needed any more: what is open
//! is woken by the relay in any case. They are shown because they are signs of a fault, and removed because they would otherwise
//! stay for two weeks.

#[cfg(all(feature = "http", feature = "sqs"))]
mod context;
#[cfg(feature = "sqs")]
mod redrive;

#[cfg(all(feature = "http", feature = "sqs"))]
pub use context::DeadLetterContext;
#[cfg(feature = "sqs")]
pub use redrive::{DeadLetters, RedriveReport};

use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    operations::OperationStatus,
    types::{OperationId, optional_timestamp},
};

keyword_enum!(
    /// A queue whose messages can become dead letters.
    QueueName {
        /// Wakes the worker of an operation.
        ProvisionTenant = "provision-tenant",
        /// Wakes the relay.
        RelayEvents = "relay-events",
        /// Names tenants to be measured.
        MeasureUsage = "measure-usage",
    }
);

keyword_enum!(
    /// What a redrive does with a dead letter.
    DeadLetterAction {
        /// The message is removed, because nothing is left to do.
        Remove = "remove",
        /// The message is removed, and the worker of its open operation is woken.
        Wake = "wake",
        /// The message stays, because it cannot be read, or names an operation that does not exist. A redrive removes it only on
        /// request.
        Keep = "keep",
    }
);

/// A message that its queue gave up delivering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct DeadLetter {
    /// Id that the queue gave the message
    pub id: String,
    /// The queue that gave up
    pub queue: QueueName,
    /// The message, at most its first 1,000 characters
    pub body: String,
    /// When it was sent
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub sent_at: Option<OffsetDateTime>,
    /// The operation that the message names
    #[cfg_attr(feature = "http", schema(required = true))]
    pub operation_id: Option<OperationId>,
    /// The status of that operation; null if it does not exist
    #[cfg_attr(feature = "http", schema(required = true))]
    pub operation_status: Option<OperationStatus>,
    /// What a redrive does with the message
    pub action: DeadLetterAction,
}
