//! Usage on real servers: listing, counting, measuring, and faults of the stores.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod counting;
mod faults;
mod history;
mod limits;
mod listing;
mod measuring;
mod plans;
mod queueing;
mod stage;
mod thresholds;
