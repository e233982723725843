//! The user directory on real servers: how it follows the users of tenants, how measurements repair it, and how people are found in it.

#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod following;
mod repairing;
mod searching;
mod speed;
mod stage;
