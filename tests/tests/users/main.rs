//! Users of tenants on the real servers: how they are listed and searched, added and changed, what is told of it, and what
//! cannot hold anyone else up.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod adding;
mod changing;
mod connections;
mod faults;
mod idempotency;
mod last_admin;
mod listing;
mod migrating;
mod searching;
mod stage;
mod telling;
