//! Restores: a new tenant from an export, beside the original, and its promotion.
//!
//! - [`restore()`] requests a **restored copy**: a tenant of its own with databases of its own, which ends suspended, so that it does not do
//!   the work of its original a second time.
//! - [`promote()`] swaps the databases of a copy and its original in one transaction. Promoting again swaps them back.

mod promote;
#[cfg(feature = "s3")]
mod restore;
pub mod store;

pub use promote::{PromoteTenant, PromotedTenant, promote};
#[cfg(feature = "s3")]
pub use restore::{RestoreExport, RestoredExport, restore};
