//! What the use cases of impersonations work with.

use crate::{
    clients::{postgres::Postgres, tenant_databases::TenantDatabases},
    events::dispatch::Dispatcher,
    revocations::live_list::LiveList,
};

/// The stores that a start and an end write to.
#[derive(Clone, Copy)]
pub struct ImpersonationContext<'a> {
    pub platform: &'a Postgres,
    /// Tenants' users, and the tenants' own records.
    pub databases: &'a TenantDatabases,
    pub live_list: &'a LiveList,
    /// Pokes the relay after a commit.
    pub dispatcher: &'a Dispatcher,
}
