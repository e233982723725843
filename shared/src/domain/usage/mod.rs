//! Usage: what a tenant uses of its limits.

mod figure;
mod measured;
mod shown;

pub use figure::{Figure, UsageSort};
pub use measured::{Measurement, MeasurementError, Threshold};
pub use shown::{Shares, TenantUsage, Usage, UsageRecord, UsageSource};
