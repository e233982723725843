//! The benchmarks, and what several of them share.

pub(crate) mod active;
pub(crate) mod artifacts;
pub(crate) mod cold;
pub(crate) mod create;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod growth;
pub(crate) mod health;
pub(crate) mod impersonation;
pub(crate) mod list;
pub(crate) mod measure_usage;
pub(crate) mod purge;
pub(crate) mod start;
mod store_load;
mod table;
mod tenant_columns;
mod tenant_database_floor;
pub(crate) mod usage;
mod usage_page;
pub(crate) mod users;
