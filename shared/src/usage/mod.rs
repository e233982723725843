//! Usage: what a tenant uses of its limits.

#[cfg(feature = "redis")]
pub mod live_counters;
#[cfg(feature = "postgres")]
pub mod store;

mod figure;
mod measured;
mod shown;

pub use figure::{Figure, UsageSort};
pub use measured::{Measurement, MeasurementError, Threshold};
pub use shown::{Shares, TenantUsage, Usage, UsageRecord, UsageSource};
