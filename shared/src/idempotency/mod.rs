//! Requests with an `Idempotency-Key`, and their stored responses.

pub mod store;

/// Identifies an idempotent request of a caller, for work that must recognize its repetition before a response is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestIdentity {
    /// Method and path.
    pub route: String,
    /// The value of `Idempotency-Key`.
    pub key: String,
    /// Keyed digest of the request body.
    pub fingerprint: Vec<u8>,
}
