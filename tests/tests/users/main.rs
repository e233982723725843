//! Users of tenants, on real servers: listing, searching, creating, updating, the events and audit entries about it, and faults
//! of a tenant's database.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod adding;
mod addresses;
mod authority;
mod changing;
mod connections;
mod erasing;
mod faults;
mod idempotency;
mod last_admin;
mod listing;
mod migrating;
mod reading;
mod recording;
mod releasing;
mod searching;
mod stage;
