//! `GET /operations`, `GET /operations/{id}`, and the responses that name an operation.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod bounds;
mod faults;
mod listing;
mod managing;
mod naming;
mod stage;
mod waiting;
