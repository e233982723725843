//! Impersonation, on real servers: starts, ends, lists, tokens, revocation, and faults.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod ending;
mod faults;
mod keys;
mod limits;
mod live;
mod plans;
mod reading;
mod revocation;
mod stage;
mod starting;
mod verifier;
