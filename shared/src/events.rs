//! Events that the platform's other services are told of, as CloudEvents 1.0 in structured JSON.
//!
//! They go to the Kafka topic by way of the outbox, never straight from a request, so that a commit and its event cannot
//! part. An event is delivered in the order of its subject; `id` names it for those who want to be sure that they act once.

use std::fmt::Display;

use serde::Serialize;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::domain::{Access, AgentId, Impersonation, ImpersonationId, Tenant, TenantId, User, timestamp};

/// An event of one subject.
#[derive(Debug, Clone)]
pub struct Event {
    /// Names the event.
    pub id: Uuid,
    /// What it is about: a tenant's id, or the name of a component of the platform. Also the Kafka key.
    pub subject: String,
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

/// What happened to a user of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserEvent {
    /// Added.
    Created,
    /// Name or role changed.
    Updated,
    /// May not work any more; every session has ended.
    Deactivated,
    /// May work again.
    Reactivated,
    /// Has another password; every session has ended.
    PasswordReset,
}

impl UserEvent {
    /// The `type` of the event.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "user.created",
            Self::Updated => "user.updated",
            Self::Deactivated => "user.deactivated",
            Self::Reactivated => "user.reactivated",
            Self::PasswordReset => "user.password_reset",
        }
    }
}

impl Event {
    /// An event of a tenant that happens now, with the user as they are after it. `revision` tells which of two is later.
    pub fn user(kind: UserEvent, tenant_id: TenantId, user: &User) -> Self {
        Self::new(kind.name(), tenant_id, json!({ "tenant_id": tenant_id, "revision": user.revision, "user": user }))
    }

    /// An event that happens now, with the tenant as it is after it.
    pub fn tenant(kind: TenantEvent, tenant: &Tenant) -> Self {
        Self::new(kind.name(), tenant.id, tenant)
    }

    /// An impersonation is live: its token may be seen from now on.
    pub fn impersonation_started(impersonation: &Impersonation) -> Self {
        #[derive(Serialize)]
        struct Data<'a> {
            id: ImpersonationId,
            tenant_id: TenantId,
            user_id: AgentId,
            admin_id: &'a str,
            access: Access,
            #[serde(serialize_with = "timestamp")]
            started_at: OffsetDateTime,
            #[serde(serialize_with = "timestamp")]
            expires_at: OffsetDateTime,
        }
        let data = Data {
            id: impersonation.id,
            tenant_id: impersonation.tenant_id,
            user_id: impersonation.user_id,
            admin_id: &impersonation.admin_id,
            access: impersonation.access,
            started_at: impersonation.started_at,
            expires_at: impersonation.expires_at,
        };
        Self::new("impersonation.started", impersonation.tenant_id, data)
    }

    /// An event of type `kind` that happens now. Whoever inserts several of one `subject` sees to their order.
    pub fn new(kind: &str, subject: impl Display, data: impl Serialize) -> Self {
        let id = Uuid::now_v7();
        let subject = subject.to_string();
        let time = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        let payload = json!({
            "specversion": "1.0",
            "id": id,
            "source": "landlord",
            "type": kind,
            "subject": subject,
            "time": time,
            "datacontenttype": "application/json",
            "data": data,
        });
        Self { id, subject, payload }
    }
}
