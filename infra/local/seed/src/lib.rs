//! Generated data: tenants with their usage and history, the health of the past month, and users of one tenant. Existing rows
//! are never changed, and new rows conflict with none, so the seeder can run again.
//!
//! Generated tenants have no databases of their own and are never measured, so that their figures stay as generated.
//!
//! The seeder writes rows with `COPY` instead of calling the use cases, for two reasons. It writes a past: operations that
//! finished months ago and audit entries at their times, while a use case only acts now. And it writes 10,000 tenants in
//! seconds, while a use case commits each tenant alone and enqueues its events and its provisioning.

mod counters;
pub mod health;
mod places;
mod random;
mod rows;
pub mod tenants;
mod unique;
pub mod users;
mod written;

pub use written::WrittenRows;
