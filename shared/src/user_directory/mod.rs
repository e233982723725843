//! The user directory: a copy of the users of all tenants in the platform database, by which a person is found in every tenant.
//!
//! The tenants' own databases decide who their users are. The copy follows them in three ways:
//!
//! 1. The transaction that settles a change of a user also writes the user as the change's events show it ([`store::follow`]).
//! 2. The transaction that activates a tenant inserts the tenant's first user, who has no event ([`store::insert_first`]).
//! 3. Each measurement of a tenant compares the tenant's rows with its database, and repairs them ([`repair()`]). So a change that
//!    was made without an event, and whatever else went wrong, is right again after the next measurement.
//!
//! Nothing is decided by the directory, and it contains no secret.

mod difference;
mod repair;
pub mod store;

pub use self::{
    difference::Difference,
    repair::{Repair, repair},
};

use time::OffsetDateTime;

use crate::types::UserId;

/// A user, as the directory contains them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEntry {
    pub user_id: UserId,
    pub email: String,
    pub full_name: String,
    pub role: String,
    pub status: String,
    /// Counts the changes of the user.
    pub revision: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}
