//! Events of tenants.

use crate::{events::Event, tenants::Tenant};

/// What happened to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantEvent {
    /// Asked for; its databases are about to be made.
    Requested,
    /// Its databases are there and it is active.
    Provisioned,
    /// Its databases could not be made.
    ProvisioningFailed,
    /// Its name or limits changed.
    Updated,
    /// Closed to its users.
    Suspended,
    /// Open again.
    Resumed,
}

impl TenantEvent {
    /// The event, with the tenant as it is after the change.
    pub fn of(self, tenant: &Tenant) -> Event {
        Event::new(self.name(), tenant.id, tenant)
    }

    /// The `type` of the event.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "tenant.requested",
            Self::Provisioned => "tenant.provisioned",
            Self::ProvisioningFailed => "tenant.provisioning_failed",
            Self::Updated => "tenant.updated",
            Self::Suspended => "tenant.suspended",
            Self::Resumed => "tenant.resumed",
        }
    }
}
