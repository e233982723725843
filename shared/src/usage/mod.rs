//! Usage: what a tenant uses of its limits.
//!
//! A tenant's figures are measured in its own databases ([`measuring`]) and recorded in the platform database, which lists
//! and sorts by them. Messages are also counted live, in Redis ([`live_counters`]); [`count_messages`] copies those counters
//! into the platform database. Every write of a figure checks the thresholds of the tenant's limits in the same
//! transaction, and enqueues an event for each threshold that is reached for the first time in a month. A limit that was reached
//! is taken back by another event as soon as the usage is below it ([`BelowLimit`]). The figures of each day are kept for a while
//! ([`list_history`]), and show when a limit will be reached ([`UsageForecast`]).

#[cfg(feature = "redis")]
pub mod live_counters;
#[cfg(all(feature = "mongo", feature = "s3", feature = "sqs"))]
pub mod measuring;
pub mod store;

mod announce;
mod below_limit;
mod compare;
#[cfg(feature = "redis")]
mod count;
mod figure;
mod filter;
mod forecast;
mod forget;
mod history;
#[cfg(feature = "redis")]
mod list;
mod measurement;
mod reached_limit;
mod record;
mod tenant_usage;
mod threshold;

pub use below_limit::BelowLimit;
pub use compare::compare_with_limits;
#[cfg(feature = "redis")]
pub use count::count_messages;
pub use figure::{Figure, UsageSort};
pub use filter::UsageFilter;
pub use forecast::{FigureForecast, UsageForecast};
pub use forget::{forget_days, forget_thresholds};
pub use history::{HistoryRange, ListHistory, UsageDay, UsageHistory, list_history};
#[cfg(feature = "redis")]
pub use list::{UsagePage, add_live_counters};
pub use measurement::{
    CollectionFigures, MeasuredPart, Measurement, MeasurementClaim, MeasurementError, MeasurementIntervals,
    ObjectListing, StoreState, UserFigures,
};
pub use reached_limit::ReachedLimit;
pub use record::{RecordMeasurement, record_measurement};
pub use tenant_usage::{Shares, TenantUsage, Usage, UsageRecord, UsageSource};
pub use threshold::{ObservedUsage, Threshold};
