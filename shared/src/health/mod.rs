//! Health: the state of the platform's components, now and over the last 30 days.
//!
//! A report is made by probing every component at once ([`checks`]). A schedule records what a report found: one sample per
//! component and minute ([`record_samples`]). The state of a component follows its recent samples ([`ComponentState`]), and
//! each change of a state is an event. Old samples are merged into fewer rows ([`thin_history`]).

#[cfg(feature = "health")]
pub mod checks;
pub mod store;

mod component;
mod history;
mod record;
mod sample;
mod state;
mod tenant_counts;
mod thin;

/// The key in Redis of the newest complete report.
pub const LATEST_REPORT_KEY: &str = "health:latest";

pub use component::{Component, ComponentStatus};
pub use history::{ComponentRecord, HistoryHours, ListHistory, list_history};
pub use record::{RecordedSamples, record_samples};
pub use sample::{ComponentSample, MinuteSamples, SampleRow, Uptime};
pub use state::{ComponentChange, ComponentState};
pub use tenant_counts::TenantCounts;
pub use thin::{ThinningResult, thin_history};
