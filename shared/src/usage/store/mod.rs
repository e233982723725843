//! Usage: the table `tenant_usage`, and what goes with it.
//!
//! - [`list`] reads it, a page at a time.
//! - [`claim_due`], [`find_targets`], [`record`] and [`fail`] are the measurement's.
//! - [`find_people`] is the one that asks a tenant's own database.
//! - [`list_active`] and [`count_messages`] bring the live counters into it, so that orders and filters go by them too.
//!
//! Whoever writes figures here looks whether they pass a threshold, in the same transaction.

mod counted;
mod list;
mod measured;
mod people;
mod thresholds;

pub use counted::{Counted, count_messages, list_active};
pub use list::{UsageFilter, UsageOrder, UsageRow, list};
pub use measured::{DueTenants, Intervals, Target, claim_due, fail, find_targets, record};
pub use people::{People, find_people};
pub use thresholds::delete_before;
