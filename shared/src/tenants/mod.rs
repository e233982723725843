//! Tenants: the customers of the platform. Each tenant has its own databases.
//!
//! This file contains the types and the rules. [`create()`], [`update()`], [`retry()`], [`export()`], [`delete()`] and [`restore()`] are the use cases.

mod create;
mod delete;
mod deletion;
mod export;
mod filter;
mod location;
mod on_limit;
#[cfg(feature = "http")]
mod receipt;
mod restore;
mod restored_from;
mod retry;
#[cfg(feature = "http")]
mod started;
pub mod store;
mod suspension;
mod update;

pub use create::{CreateTenant, CreatedTenant, create};
pub use delete::{DeleteTenant, DeletedTenant, delete};
pub use deletion::{Deletion, RecoveryDays};
pub use export::{ExportTenant, RequestedExport, export};
pub use filter::TenantFilter;
pub use location::{OutdatedTenant, TenantLocation};
pub use on_limit::OnLimit;
#[cfg(feature = "http")]
pub use receipt::{RECEIPT_TYPE, ReceiptSigner, TenantReceipt, receipt};
pub use restore::{RestoreTenant, RestoredTenant, restore};
pub use restored_from::RestoredFrom;
pub use retry::{RetriedTenant, RetryTenant, retry};
pub use suspension::{Suspension, SuspensionComment, SuspensionReason};
pub use update::{TenantUpdate, UpdateTenant, change_access, update};

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    error::{Conflict, Error},
    events::{Event, EventType},
    types::{Country, Limits, TenantId, single_line, timestamp},
};

string_type! {
    /// Display name: 1–120 characters after trimming, in one visible line.
    TenantName {
        parse: |text| single_line(text, 1, 120),
        schema: { format: "single-line", min_length: 1, max_length: 120, example: "Kopi Kenangan" },
    }
}

keyword_enum!(
    /// Status of a tenant.
    #[derive(Deserialize)]
    TenantStatus {
        /// The tenant's databases are being created.
        Provisioning = "provisioning",
        /// The tenant's users may use the platform.
        Active = "active",
        /// The tenant's users may not use the platform, until a super-admin sets the status to `active` again. The databases exist.
        Suspended = "suspended",
        /// The tenant's databases could not be created and were removed. Provisioning can be retried.
        Failed = "failed",
        /// Nobody may use the tenant, and its databases are going to be removed. Until `purge_after` of its deletion, it can be restored.
        Deleting = "deleting",
        /// The tenant's databases were removed. The tenant itself is kept for the record.
        Deleted = "deleted",
    }
);

impl TenantStatus {
    /// The statuses that a super-admin may set from this status. Only operations make other changes.
    pub fn settable(self) -> &'static [Self] {
        match self {
            Self::Active => &[Self::Suspended],
            Self::Suspended => &[Self::Active],
            Self::Provisioning | Self::Failed | Self::Deleting | Self::Deleted => &[],
        }
    }

    /// Fails with [`Conflict::TenantNotActive`] in every other status.
    pub fn require_active(self) -> Result<(), Error> {
        match self {
            Self::Active => Ok(()),
            other => Err(Conflict::TenantNotActive { tenant_status: other.as_str() }.into()),
        }
    }

    /// Fails with [`Conflict::TenantDeletionBegun`] if the tenant is being deleted, or is deleted.
    fn require_kept(self) -> Result<(), Error> {
        match self {
            Self::Deleting | Self::Deleted => {
                Err(Conflict::TenantDeletionBegun { tenant_status: self.as_str() }.into())
            }
            Self::Provisioning | Self::Active | Self::Suspended | Self::Failed => Ok(()),
        }
    }

    /// Fails with [`Conflict::TenantStatusNotSettable`] if a super-admin may not change this status to `wanted`.
    pub fn require_settable(self, wanted: Self) -> Result<(), Error> {
        let settable = self.settable();
        if settable.contains(&wanted) {
            return Ok(());
        }
        let allowed = settable.iter().map(|status| status.as_str()).collect();
        let (tenant_status, wanted) = (self.as_str(), wanted.as_str());
        Err(Conflict::TenantStatusNotSettable { tenant_status, wanted, allowed }.into())
    }
}

keyword_enum!(
    /// A status that a super-admin may set.
    SettableTenantStatus {
        /// The tenant's users may use the platform.
        Active = "active",
        /// The tenant's users may not use the platform, until the tenant is `active` again.
        Suspended = "suspended",
    }
);

impl SettableTenantStatus {
    pub fn status(self) -> TenantStatus {
        match self {
            Self::Active => TenantStatus::Active,
            Self::Suspended => TenantStatus::Suspended,
        }
    }
}

impl fmt::Display for TenantStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A tenant: a customer of the platform.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema), schema(as = Organization))]
pub struct Tenant {
    /// Id (UUIDv7).
    pub id: TenantId,
    /// Display name.
    #[cfg_attr(feature = "http", schema(min_length = 1, max_length = 120, example = "Kopi Kenangan"))]
    pub name: String,
    /// URL-safe name, unique among the tenants that are not deleted.
    #[cfg_attr(
        feature = "http",
        schema(min_length = 2, max_length = 48, pattern = "^[a-z0-9](-?[a-z0-9])*$", example = "kopi-kenangan")
    )]
    pub slug: String,
    /// Current status.
    pub status: TenantStatus,
    /// Name of the tenant's MongoDB database. The PostgreSQL database has the same name.
    #[cfg_attr(feature = "http", schema(example = "tenant_0190a0c48f6e7c3a9d2b5e1f00c0ffee"))]
    pub mongo_database: String,
    /// Schema version of the tenant's databases; 0 before they are provisioned.
    #[cfg_attr(feature = "http", schema(minimum = 0, example = 1))]
    pub schema_version: i32,
    /// When the tenant was created.
    #[serde(serialize_with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// When the tenant was last changed.
    #[serde(serialize_with = "timestamp")]
    pub updated_at: OffsetDateTime,
    /// Resource limits.
    pub limits: Limits,
    /// What happens when the tenant reaches one of them.
    pub on_limit: OnLimit,
    /// ISO 3166-1 alpha-2 code.
    pub country: Country,
    /// Since when and why the tenant is suspended; null if it is not.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub suspension: Option<Suspension>,
    /// Since when and why the tenant is deleted, and until when it can be restored; null if it is not.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub deletion: Option<Deletion>,
    /// The tenant and the export that it is a restored copy of; null if it is none.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub restored_from: Option<RestoredFrom>,
    /// Number of changes of the row. The entity tag contains it.
    #[serde(skip)]
    pub revision: i64,
}

/// Schema version of the databases of a newly provisioned tenant: the number of the newest file in
/// `infra/migrations/tenant`.
pub const TENANT_SCHEMA_VERSION: i32 = 1;

/// What precedes the schema version in the name of a template.
pub const TENANT_TEMPLATE_PREFIX: &str = "landlord_template_v";

/// Name of the database that the databases of tenants are cloned from. Every PostgreSQL cluster has one.
pub fn tenant_template(schema_version: i32) -> String {
    format!("{TENANT_TEMPLATE_PREFIX}{schema_version}")
}

/// An unused name for a tenant's PostgreSQL and MongoDB database. The name does not contain the tenant's id, because every
/// attempt to provision a tenant gets its own name: a late clean-up after one attempt cannot touch the databases of another.
pub fn new_database_name() -> String {
    format!("tenant_{}", uuid::Uuid::now_v7().simple())
}

/// Types of the events about a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantEvent {
    /// The tenant was created, and its databases are about to be provisioned.
    Requested,
    /// The databases exist, and the tenant is active.
    Provisioned,
    ProvisioningFailed,
    /// The name, the limits or `on_limit` were changed, or a promotion has given the tenant other databases.
    Updated,
    Suspended,
    Resumed,
    DeletionRequested,
    /// A copy of the tenant is complete.
    Exported,
    Restored,
    /// Nothing of the tenant is left in any store.
    Deleted,
}

impl TenantEvent {
    /// The event, with the state of the tenant after the change.
    pub fn of(self, tenant: &Tenant) -> Event {
        Event::new(self.kind(), tenant.id, tenant)
    }

    /// The events of a super-admin's change, in the order in which they are sent.
    pub fn of_change(before: &Tenant, after: &Tenant) -> Vec<Self> {
        let mut events = Vec::new();
        if (&before.name, before.limits, before.on_limit) != (&after.name, after.limits, after.on_limit) {
            events.push(Self::Updated);
        }
        events.extend(Self::of_status(before.status, after.status));
        events
    }

    /// The event of a super-admin's change of the status.
    pub fn of_status(before: TenantStatus, after: TenantStatus) -> Option<Self> {
        match (before, after) {
            (TenantStatus::Active, TenantStatus::Suspended) => Some(Self::Suspended),
            (TenantStatus::Suspended, TenantStatus::Active) => Some(Self::Resumed),
            _ => None,
        }
    }

    /// The type of the event.
    pub fn kind(self) -> EventType {
        match self {
            Self::Requested => EventType::TenantRequested,
            Self::Provisioned => EventType::TenantProvisioned,
            Self::ProvisioningFailed => EventType::TenantProvisioningFailed,
            Self::Updated => EventType::TenantUpdated,
            Self::Suspended => EventType::TenantSuspended,
            Self::Resumed => EventType::TenantResumed,
            Self::DeletionRequested => EventType::TenantDeletionRequested,
            Self::Exported => EventType::TenantExported,
            Self::Restored => EventType::TenantRestored,
            Self::Deleted => EventType::TenantDeleted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(status: TenantStatus) -> Tenant {
        Tenant {
            id: TenantId::generate(),
            name: "Kopi Kenangan".to_owned(),
            slug: "kopi-kenangan".to_owned(),
            status,
            mongo_database: new_database_name(),
            schema_version: TENANT_SCHEMA_VERSION,
            created_at: OffsetDateTime::UNIX_EPOCH,
            updated_at: OffsetDateTime::UNIX_EPOCH,
            limits: Limits { max_agents: None, max_contacts: None, max_messages_month: None },
            on_limit: OnLimit::Notify,
            country: Country::parse("ID").unwrap(),
            suspension: None,
            deletion: None,
            restored_from: None,
            revision: 1,
        }
    }

    #[test]
    fn each_kind_of_change_has_its_event() {
        for &status in TenantStatus::ALL {
            let before = tenant(status);
            assert_eq!(TenantEvent::of_change(&before, &before), []);
            let renamed = Tenant { name: "Kopi".to_owned(), ..before.clone() };
            let limited = Tenant { limits: Limits { max_agents: Some(1), ..before.limits }, ..before.clone() };
            let blocking = Tenant { on_limit: OnLimit::BlockNew, ..before.clone() };
            for after in [renamed, limited, blocking] {
                assert_eq!(TenantEvent::of_change(&before, &after), [TenantEvent::Updated]);
            }
            for &next in TenantStatus::ALL {
                let expected = match (status, next) {
                    (TenantStatus::Active, TenantStatus::Suspended) => vec![TenantEvent::Suspended],
                    (TenantStatus::Suspended, TenantStatus::Active) => vec![TenantEvent::Resumed],
                    _ => vec![],
                };
                let after = Tenant { status: next, ..before.clone() };
                assert_eq!(TenantEvent::of_change(&before, &after), expected, "{status} to {next}");
            }
        }
    }

    #[test]
    fn only_an_active_tenant_is_active() {
        for &status in TenantStatus::ALL {
            assert_eq!(status.require_active().is_ok(), status == TenantStatus::Active, "{status}");
        }
    }

    #[test]
    fn a_tenant_is_kept_until_its_deletion_begins() {
        for &status in TenantStatus::ALL {
            let kept = !matches!(status, TenantStatus::Deleting | TenantStatus::Deleted);
            assert_eq!(status.require_kept().is_ok(), kept, "{status}");
        }
    }

    #[test]
    fn databases_have_names_that_are_never_used_twice() {
        assert!(new_database_name().starts_with("tenant_") && new_database_name() != new_database_name());
        assert_eq!(tenant_template(7), "landlord_template_v7");
    }

    #[test]
    fn a_status_can_only_be_set_between_active_and_suspended() {
        for &from in TenantStatus::ALL {
            for &to in TenantStatus::ALL {
                let settable = matches!(
                    (from, to),
                    (TenantStatus::Active, TenantStatus::Suspended) | (TenantStatus::Suspended, TenantStatus::Active)
                );
                assert_eq!(from.require_settable(to).is_ok(), settable, "{from} to {to}");
            }
        }
    }
}
