//! Usage on the real servers: how it is listed, how it is measured, and what cannot hold it up.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod counting;
mod faults;
mod listing;
mod measuring;
mod plans;
mod queueing;
mod stage;
mod thresholds;
