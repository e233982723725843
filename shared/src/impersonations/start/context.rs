//! What the use cases of impersonations work with.

use crate::{
    clients::{postgres::Postgres, tenant_databases::TenantDatabases},
    events::dispatch::Dispatcher,
    revocations::deny_list::DenyList,
};

/// The stores that a start and an end write to.
#[derive(Clone, Copy)]
pub struct ImpersonationContext<'a> {
    pub platform: &'a Postgres,
    /// Tenants' users, and the tenants' own records.
    pub databases: &'a TenantDatabases,
    pub deny_list: &'a DenyList,
    /// Pokes the relay after a commit.
    pub dispatcher: &'a Dispatcher,
}
