//! Reconciliation: comparing what should be with what is, in every store, and repairing the differences that are safe to repair.
//!
//! What should be is in the platform database: the ledger of databases ([`crate::tenants::store::databases`]), operations, open
//! changes, live impersonations. What is, every store is asked for. A cluster that does not answer makes its part *unknown*, which is
//! neither right nor wrong.
//!
//! A reconciliation consists of checks that are independent of each other. Each reads its store in pages, and lets the platform
//! database compare a page with the ledger, so that the memory of the process does not grow with the number of tenants. A check that
//! was interrupted begins anew in the next invocation; those that are done are not repeated.
//!
//! Tenants change meanwhile. So a check never looks at databases that an open operation works on, or whose row in the ledger is
//! younger than the observation.
//!
//! Only what the ledger knows is ever removed, and only if its name was given up: names are never used twice. The removal is an
//! operation of its own ([`crate::operations::OperationKind::Cleanup`]), which is fenced like any other.

#[cfg(feature = "reconciliation")]
mod checks;
mod create;
mod filter;
#[cfg(feature = "reconciliation")]
mod repair;
#[cfg(feature = "reconciliation")]
mod run;
pub mod store;

pub use create::create;
pub use filter::ReconciliationFilter;
#[cfg(feature = "reconciliation")]
pub use run::{ObservedStores, Reconciler};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::types::{OperationId, ReconciliationId, TenantId, optional_timestamp, timestamp};

keyword_enum!(
    /// How something differs from what should be.
    #[derive(Deserialize)]
    FindingKind {
        /// It exists, although its tenant has given up the name, or although it is of an export that was not completed or has long expired.
        Orphan = "orphan",
        /// It exists, and the platform database does not know its name. It is never removed.
        Unknown = "unknown",
        /// It does not exist, although its tenant uses it. It may have to be restored from a backup.
        Missing = "missing",
        /// It exists in another place than the platform database says.
        Misplaced = "misplaced",
        /// The platform database contradicts itself.
        Contradiction = "contradiction",
        /// A tenant's databases have an older schema than the newest. `migrate-platform` migrates them.
        OldSchema = "old_schema",
        /// An operation has not ended although it should have.
        StuckOperation = "stuck_operation",
        /// A change in a tenant's database was begun, and for minutes nobody could find out whether it was made.
        UnsettledChange = "unsettled_change",
        /// A live impersonation is missing from the list that services read.
        UnlistedImpersonation = "unlisted_impersonation",
        /// A queue gave up delivering a message.
        DeadLetter = "dead_letter",
        /// The platform's services may use the databases of a tenant that is not active, or not those of one that is.
        WrongAccess = "wrong_access",
    }
);

keyword_enum!(
    /// Where something was found.
    #[derive(Deserialize)]
    FindingStore {
        /// The platform database.
        Platform = "platform",
        /// A cluster of tenants' PostgreSQL databases.
        Postgresql = "postgresql",
        /// A cluster of tenants' MongoDB databases.
        Mongodb = "mongodb",
        /// The bucket of the tenants' objects.
        ObjectStorage = "object_storage",
        /// Redis.
        Redis = "redis",
        /// The queues.
        Sqs = "sqs",
    }
);

keyword_enum!(
    /// How a finding can be repaired safely.
    Repair {
        /// An operation `cleanup` removes what is left under the name, in every store.
        Remove = "remove",
        /// A message wakes a worker.
        Wake = "wake",
        /// The relay is asked to find out at once whether the change was made.
        Settle = "settle",
        /// The relay writes the entry; it does so every minute without being asked.
        Relist = "relist",
        /// The message is removed; an open operation that it names is woken.
        Redrive = "redrive",
        /// An operation `suspend` or `resume` makes the access what the tenant's status demands.
        Access = "access",
    }
);

/// A difference between what should be and what is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Finding {
    /// The difference
    pub kind: FindingKind,
    /// Where it was found
    pub store: FindingStore,
    /// The cluster; empty for a store without clusters
    pub cluster: String,
    /// What differs: the name of a database, the prefix of objects, the key of an entry, or an id
    pub subject: String,
    /// The tenant, if known
    #[cfg_attr(feature = "http", schema(required = true))]
    pub tenant_id: Option<TenantId>,
    /// More about it, for people
    #[cfg_attr(feature = "http", schema(required = true))]
    pub detail: Option<String>,
    /// Since when it differs; if that is not known, when a reconciliation first found it
    #[serde(serialize_with = "timestamp")]
    pub since: OffsetDateTime,
    /// The age of the finding in seconds
    pub age_seconds: i64,
    /// The repair that is known to be safe; null if people must decide
    #[cfg_attr(feature = "http", schema(required = true))]
    pub repair: Option<Repair>,
    /// When the repair was begun; null if it was not
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub repaired_at: Option<OffsetDateTime>,
    /// The operation that repairs it
    #[cfg_attr(feature = "http", schema(required = true))]
    pub operation_id: Option<OperationId>,
}

/// A part of the platform that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct UnknownPart {
    /// The store
    pub store: FindingStore,
    /// The cluster; empty for a store without clusters
    pub cluster: String,
    /// Why it could not be looked at
    pub reason: String,
}

/// The number of findings of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct FindingCount {
    /// The kind
    pub kind: FindingKind,
    /// How many there are
    pub count: i64,
}

/// One comparison of the whole platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Reconciliation {
    /// Id (UUIDv7)
    pub id: ReconciliationId,
    /// Whether nothing is to be repaired
    pub dry_run: bool,
    /// Who asked for it: the id of a super-admin, or `system` for the schedule
    pub requested_by: String,
    /// When it was asked for
    #[serde(serialize_with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// When it ended; null while it runs
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub finished_at: Option<OffsetDateTime>,
    /// The number of things that were compared
    pub compared: i64,
    /// What could not be looked at. Nothing is known about it, and no finding concerns it
    pub unknown: Vec<UnknownPart>,
    /// The number of findings of each kind that was found. At most 20,000 are recorded for each cluster
    pub counts: Vec<FindingCount>,
}

/// A reconciliation with its findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ReconciliationReport {
    #[serde(flatten)]
    pub reconciliation: Reconciliation,
    /// The findings, at most 1,000: those that can be repaired first and unknown ones last, the oldest first
    pub findings: Vec<Finding>,
}
