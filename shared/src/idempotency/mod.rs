//! Stored responses of requests with an `Idempotency-Key`.

pub mod store;
