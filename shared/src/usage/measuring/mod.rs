//! Measuring tenants: due tenants are sent to a queue ([`enqueue_due`]), and each message of the queue names tenants to
//! measure ([`measure`]).

mod enqueue;
mod failure;
mod measure;
mod message;
mod mongodb;
mod object_storage;
mod postgresql;
mod timeout;

pub use enqueue::{HOLD, MeasureQueue, enqueue_due};
pub use failure::MeasurementFailure;
pub use measure::{MeasureOutcome, MeasureTenant, MeasuredStores, measure};
pub use message::{MeasureMessage, TENANTS_PER_MESSAGE};
