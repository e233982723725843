//! Impersonation on the real servers: who may act in whose name, who sees it, and that it is over when it is over.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ending;
mod faults;
mod keys;
mod limits;
mod reading;
mod revocation;
mod stage;
mod starting;
mod verifier;
