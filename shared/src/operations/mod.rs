//! Operations: long-running changes of a tenant's databases, with a journal of their steps.
//!
//! An operation has at most one worker at a time. The worker holds a [`Lease`] and writes each step to the journal
//! ([`store::journal`]). At most one operation per tenant is open.

mod filter;
mod kind;
#[cfg(feature = "sqs")]
mod manage;
pub mod store;
mod wait;
mod wait_seconds;
#[cfg(feature = "redis")]
mod wait_slots;

pub use filter::OperationFilter;
pub use kind::{OperationKind, StepName};
#[cfg(feature = "sqs")]
pub use manage::{ManageOperation, abandon, retry};
pub use wait::{MAX_WAIT, wait_for_change};
pub use wait_seconds::WaitSeconds;
#[cfg(feature = "redis")]
pub use wait_slots::{WaitSlot, WaitSlots};

use std::time::Duration;

use rand::RngExt;
use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    error::{Conflict, Error},
    types::{OperationId, Placement, TenantId, optional_timestamp, timestamp},
};

/// The kinds that change the access of services. They do not disturb other changes of the tenant, and a newer one supersedes them.
pub const ACCESS_KINDS: [OperationKind; 2] = [OperationKind::Suspend, OperationKind::Resume];

keyword_enum!(
    /// Why an operation waits for its next attempt.
    Fault {
        /// A store cannot be reached, or refuses every request for now. The operation waits for it without limit.
        Unavailable = "unavailable",
        /// Anything else that may pass. The operation is rolled back if it does not within its budget.
        Transient = "transient",
    }
);

/// The longest wait between two attempts.
const MAX_BACKOFF: Duration = Duration::from_mins(5);

/// How long an operation waits after a fault that followed `faults` others.
pub fn backoff(faults: i32) -> Duration {
    backoff_between(faults, Duration::from_secs(1), MAX_BACKOFF)
}

/// The wait after a failure that followed `failures` others: twice as long each time, from `first` to `longest`, and up to a half less, so
/// that those that failed together do not return at the same time.
pub fn backoff_between(failures: i32, first: Duration, longest: Duration) -> Duration {
    let exponent = u32::try_from(failures).unwrap_or(0).min(16);
    let wait = first.saturating_mul(2_u32.pow(exponent)).min(longest.max(first));
    wait.mul_f64(rand::rng().random_range(0.5..=1.0))
}

keyword_enum!(
    /// Status of an operation.
    OperationStatus {
        /// Accepted, not started yet.
        Pending = "pending",
        /// Its steps are being applied.
        Running = "running",
        /// It cannot succeed any more and is rolled back: its steps are being undone.
        Undoing = "undoing",
        /// Every step was applied.
        Succeeded = "succeeded",
        /// Rolled back completely. `reason` contains the cause.
        Failed = "failed",
        /// A newer operation on the same databases took its place before it ended.
        Superseded = "superseded",
    }
);

keyword_enum!(
    /// Status of a step.
    StepStatus {
        /// Not started.
        Pending = "pending",
        /// Being applied; its effect may exist in part.
        Running = "running",
        /// Its effect exists.
        Succeeded = "succeeded",
        /// Could not be applied; its effect may exist in part.
        Failed = "failed",
        /// Its effect is being removed.
        Undoing = "undoing",
        /// Its effect was removed.
        Undone = "undone",
    }
);

/// An operation on a tenant's databases.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Operation {
    /// Id (UUIDv7).
    pub id: OperationId,
    /// Id of the tenant.
    pub tenant_id: TenantId,
    /// Kind of operation.
    pub kind: OperationKind,
    /// Current status.
    pub status: OperationStatus,
    /// Why the operation failed, is being rolled back, or waits for its next attempt; what a promotion that succeeded could not copy.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub reason: Option<String>,
    /// Number of times that a worker took the operation to apply its steps.
    pub attempts: i32,
    /// Steps, in order.
    pub steps: Vec<OperationStep>,
    /// When the operation was requested.
    #[serde(serialize_with = "timestamp")]
    pub created_at: OffsetDateTime,
    /// What the operation met when it was last attempted; null unless it waits for the next attempt.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub fault: Option<Fault>,
    /// When the operation is due. In the past while a worker is at it; null when it has ended.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub next_attempt_at: Option<OffsetDateTime>,
    /// A transient fault after this time rolls the operation back. Later again after each fault `unavailable`, and while the operation advances;
    /// null if it is tried without limit.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub gives_up_at: Option<OffsetDateTime>,
    /// When the operation ended.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub finished_at: Option<OffsetDateTime>,
    /// The super-admin who requested the operation.
    pub requested_by: String,
    /// Number of visible changes of the operation and its steps. The entity tag contains it.
    #[serde(skip)]
    pub revision: i64,
}

impl Operation {
    /// Whether the operation cannot change any more.
    pub fn has_ended(&self) -> bool {
        self.finished_at.is_some()
    }
}

/// One step of an operation.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OperationStep {
    /// Name of the step.
    // As text, because a newer version of another function may have written a step that this one does not know.
    #[cfg_attr(feature = "http", schema(value_type = StepName, example = "postgresql_database"))]
    pub name: String,
    /// Current status.
    pub status: StepStatus,
    /// Number of times that the step was started, including undo.
    pub attempts: i32,
    /// When the step last started.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub started_at: Option<OffsetDateTime>,
    /// When the step last ended.
    #[serde(serialize_with = "optional_timestamp")]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub finished_at: Option<OffsetDateTime>,
    /// The most recent error.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub error: Option<String>,
}

/// An operation that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenOperation {
    pub id: OperationId,
    pub kind: OperationKind,
    pub status: OperationStatus,
}

/// Fails with [`Conflict::OperationRunning`] if the tenant has an open operation. The caller holds the lock on the tenant's row.
pub fn require_none_open(open: Option<OpenOperation>) -> Result<(), Conflict> {
    match open {
        None => Ok(()),
        Some(OpenOperation { id, kind, status }) => {
            Err(Conflict::OperationRunning { operation_id: id, kind: kind.as_str(), status: status.as_str() })
        }
    }
}

/// The right to work on an operation, until another worker takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub operation_id: OperationId,
    pub tenant_id: TenantId,
    /// Fencing token: greater than the token of every earlier lease on the operation.
    pub token: i64,
}

/// An operation, in the state in which its new worker found it.
#[derive(Debug, Clone)]
pub struct LeasedOperation {
    pub lease: Lease,
    pub kind: OperationKind,
    /// `Undoing` or `Running`.
    pub status: OperationStatus,
    /// Why the operation is being rolled back.
    pub reason: Option<String>,
    /// Number of times that the steps were started, including this time.
    pub attempts: i32,
    /// Name of the PostgreSQL and the MongoDB database that the operation creates or removes.
    pub database_name: String,
    /// Where they are. `None` before the first step of their creation has succeeded.
    pub placement: Option<Placement>,
    /// The operation that creates or created them.
    pub creator: OperationId,
    /// Version of the tenant schema that is being created; `None` before the first step has succeeded.
    pub schema_version: Option<i32>,
    /// The steps whose effect exists.
    pub succeeded: Vec<StepName>,
    /// When the operation was requested.
    pub created_at: OffsetDateTime,
    /// Number of attempts that ended with a fault, since the request or since the rollback began.
    pub faults: i32,
    /// Whether the operation's budget is spent.
    pub is_out_of_time: bool,
    /// Whether a circuit breaker exists, for any store.
    pub has_breakers: bool,
}

/// A change of a step's status in the journal.
#[derive(Debug, Clone, Copy)]
pub enum StepChange<'a> {
    /// The step is about to be applied.
    Started,
    /// Its effect exists.
    Succeeded,
    /// It could not be applied. The reason is shown to super-admins.
    Failed(&'a str),
    /// Its effect is about to be removed.
    UndoStarted,
    /// Its effect was removed.
    Undone,
    /// Its effect could not be removed. The reason is shown to super-admins.
    UndoFailed(&'a str),
}

/// Why a write to the journal did not happen.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// This worker must stop at once and write nothing more.
    #[error("another worker has taken over the operation")]
    Fenced,
    /// The platform database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_one_open_operation() {
        let (id, kind, status) = (OperationId::generate(), OperationKind::Provision, OperationStatus::Running);
        assert_eq!(require_none_open(None), Ok(()));
        let refused = require_none_open(Some(OpenOperation { id, kind, status }));
        let expected = Conflict::OperationRunning { operation_id: id, kind: "provision", status: "running" };
        assert_eq!(refused, Err(expected));
    }

    #[test]
    fn waits_double_up_to_five_minutes_less_up_to_a_half() {
        for (faults, longest) in [(0, 1.0), (1, 2.0), (4, 16.0), (8, 256.0), (9, 300.0), (40, 300.0), (i32::MAX, 300.0)]
        {
            let waits: Vec<f64> = (0..200).map(|_| backoff(faults).as_secs_f64()).collect();
            assert!(waits.iter().all(|wait| (longest / 2.0..=longest).contains(wait)), "{faults}: {waits:?}");
            assert!(
                waits.iter().any(|wait| *wait < longest * 0.9),
                "{faults}: operations would return at the same time"
            );
        }
    }

    #[test]
    fn an_operation_has_ended_once_it_has_the_time_of_its_end() {
        let open = Operation {
            id: OperationId::generate(),
            tenant_id: TenantId::generate(),
            kind: OperationKind::Provision,
            status: OperationStatus::Running,
            reason: None,
            attempts: 1,
            steps: vec![],
            created_at: OffsetDateTime::UNIX_EPOCH,
            fault: None,
            next_attempt_at: None,
            gives_up_at: None,
            finished_at: None,
            requested_by: "sari".to_owned(),
            revision: 1,
        };
        let ended = Operation { finished_at: Some(OffsetDateTime::UNIX_EPOCH), ..open.clone() };
        assert!(ended.has_ended() && !open.has_ended());
    }
}
