//! Events that the platform's other services are told of, as CloudEvents 1.0 in structured JSON.
//!
//! They go to the Kafka topic by way of the outbox, never straight from a request, so that a commit and its event cannot
//! part. An event is delivered in the order of its tenant; `id` names it for those who want to be sure that they act once.

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::domain::{Tenant, TenantId};

/// An event of one tenant.
#[derive(Debug, Clone)]
pub struct Event {
    /// Names the event.
    pub id: Uuid,
    /// Whose it is; also the Kafka key.
    pub tenant_id: TenantId,
    /// CloudEvents 1.0, structured.
    pub payload: Value,
}

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

impl Event {
    /// An event that happens now, with the tenant as it is after it.
    pub fn tenant(kind: TenantEvent, tenant: &Tenant) -> Self {
        let id = Uuid::now_v7();
        let time = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        let payload = json!({
            "specversion": "1.0",
            "id": id,
            "source": "landlord",
            "type": kind.name(),
            "subject": tenant.id,
            "time": time,
            "datacontenttype": "application/json",
            "data": tenant,
        });
        Self { id, tenant_id: tenant.id, payload }
    }
}
