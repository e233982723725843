//! Provisioning on the real servers: whatever dies, freezes or fails wherever, a tenant ends wholly active or wholly absent.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod batch;
mod boundaries;
mod frozen;
mod stage;
