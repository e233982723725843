//! A platform of the benchmark's own: databases, queues and tenants on the servers that the environment names, all of which
//! are removed afterwards.

mod cleanup;
pub(crate) mod filled_tenants;
pub(crate) mod instance;
pub(crate) mod large_tenant;
pub(crate) mod provisioning;
mod stores;
pub(crate) mod urls;
