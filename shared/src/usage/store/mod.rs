//! SQL of usage: the tables `tenant_usage`, `tenant_measurements`, `usage_thresholds`, `usage_limits_reached` and `usage_days`, and the counts in a tenant's own database.

mod counters;
mod days;
pub mod limits;
mod list;
mod measurement;
mod tenant_database;
mod thresholds;

pub use counters::{ChangedCounter, list_active, try_lock_counters, update_counters};
pub use days::{delete_days_before, list_days, upsert_day};
pub use list::{UsageOrder, UsageRow, count, list, list_records_of};
pub use measurement::{
    DueTenants, RecordedFigures, claim_due, claim_measurement, hasten, lock_claim, update_figures, update_stores,
};
pub use tenant_database::count_users;
pub use thresholds::{delete_thresholds_before, insert_thresholds, lock_tenants};
