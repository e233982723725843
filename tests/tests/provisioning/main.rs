//! Provisioning on real servers. Wherever a worker dies, freezes or fails, a tenant ends either active with everything, or failed
//! with nothing left behind.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod access;
mod batch;
mod boundaries;
mod broken_connections;
mod broken_stores;
mod deletion;
mod exports;
mod following;
mod frozen;
mod lives;
mod lost_answers;
mod matrix;
mod migrating;
mod outages;
mod reconciling;
mod restored;
mod restoring;
mod saboteur;
mod stage;
mod templates;
