//! Provisioning: the saga that creates a tenant's databases, or removes everything that it created.
//!
//! `create-tenant` or `retry-tenant` commits an operation, and a message with the operation's id makes a worker run it
//! ([`Provisioner::run`]). The worker takes the operation's lease, applies the steps, and records each step in the journal
//! ([`crate::operations::store::journal`]). Three branches run concurrently: the PostgreSQL database with the tenant's first
//! user, the MongoDB database, and the object prefix. The last step is one transaction on the platform database. A tenant
//! therefore becomes active with everything that it needs, or not at all.
//!
//! - The operation itself decides when it is tried again: a fault that may pass postpones it, each time for longer: a transient one
//!   until its budget is spent ([`OperationKind::budget`](crate::operations::OperationKind::budget)), an unavailable store without limit.
//!   The queue only wakes a worker, so a message that is
//!   lost, repeated, late or dead changes nothing: the worker sends the message for the next attempt itself, and the relay wakes
//!   operations that are overdue. While a store fails for every operation, its circuit breaker
//!   ([`crate::operations::store::breakers`]) lets only one of them try it.
//! - After a permanent error, and after a transient fault when the budget is spent, the worker begins the rollback. The rollback is durable:
//!   from then on the steps are only undone, in reverse order. The operation ends as `failed` in one transaction, which also frees the
//!   tenant's places on the clusters. A failed undo is retried without limit, and nothing is freed before every step is undone.
//! - A worker may die at any point. A step that the journal does not show as succeeded is applied again, and applying a
//!   step twice has the same effect as applying it once.
//! - A worker may freeze at any point and wake up after other workers have finished its work. Nothing that it does then
//!   takes effect:
//!   - The *platform database* refuses every write that does not name the newest lease's token.
//!   - *PostgreSQL clusters*: a worker that takes over first ends the sessions of earlier workers (see `steps::postgresql`).
//!   - *MongoDB*: everything is created in one transaction that also raises a fence, and a worker that takes over ends the
//!     session of the earlier worker (see `steps::mongodb`).
//!   - *Object storage* cannot refuse a late request. The object that is written there is therefore empty and belongs to one
//!     operation, and the late worker itself removes it.
//!   - No two operations use the same database name, so even the latest `DROP` can only remove an abandoned database. The ledger
//!     (`tenant_databases`) remembers every name, and its fencing tokens rise over everything that is done under a name.
//! - A request may be lost although the server goes on with it, and the worker cannot know. A rollback therefore takes a new token
//!   first. This makes the worker's own earlier requests those of an earlier worker, which the rollback ends like any others.
//!
//! # Suspension
//! An operation `suspend` or `resume` changes the access of the platform's services (`access`). It has no rollback: it is tried until it
//! succeeds, or a newer change of the status supersedes it. The newer operation works on the same databases with a greater token, so
//! that the workers of the older one are those of an earlier worker.
//!
//! # Deletion
//! An operation `purge` takes the access in the same way, waits until the tenant cannot be restored any more, and removes everything
//! (`purge`). It has no rollback either.
//!
//! # Export
//! An operation `export` copies a tenant to files (`export`, with the readers and writers of `copy`). It only reads the databases, so that its
//! rollback removes the files, and the tenant stays as it is. A purge may do the same before it removes anything.
//!
//! # Restored copies
//! An operation `restore` provisions a tenant whose databases are filled from an export (`restoring`). An operation `promote` completes the
//! swap of the databases of two tenants; like a change of the access, it has no rollback.
//!
//! Clocks decide only when a lease may be taken over.
//!
//! # Why not `steno`
//! `steno` is the established Rust library for sagas, and this module uses its ideas: repeatable actions, undo in reverse
//! order, a durable log. `steno` runs a saga in the memory of one process, which lives as long as the saga and owns it. To
//! recover a saga, exactly one process must resume it (the user has to guarantee "only one SEC at a time"), and the writes to
//! its log name no fencing token. Our workers are Lambda invocations. Several of them may hold a message about the same
//! operation, each ends within a minute, and each may be frozen and resumed. This design therefore depends on fencing, leases that end
//! with the invocation, attempts that are due at a time, and an undo that can continue for days. All of that would remain outside `steno`, and `steno` would replace only the
//! journal.

mod access;
mod copy;
mod export;
mod progress;
mod purge;
mod removal;
mod restoring;
mod saga;
mod step;
mod steps;
mod store;

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;

pub use self::step::Stores;
use crate::{
    clients::postgres::Postgres,
    config::ProvisioningConfig,
    error::Result,
    operations::{OperationStatus, StepName},
};

/// Runs operations.
pub struct Provisioner {
    /// The platform database.
    pub platform: Postgres,
    pub stores: Arc<Stores>,
    pub config: ProvisioningConfig,
    /// The schema version that new tenants get.
    pub tenant_schema_version: i32,
    /// Only set in tests.
    pub observer: Option<Arc<dyn SagaObserver>>,
}

/// Result of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationOutcome {
    /// The operation has ended.
    Finished {
        /// `Succeeded`, `Failed` or `Superseded`.
        status: OperationStatus,
        /// Whether this attempt ended the operation. Otherwise an earlier one did.
        now: bool,
    },
    /// The operation has not ended.
    Open {
        /// Why it has not.
        reason: String,
        /// When a worker must be woken to go on. `None` if another worker has taken the operation.
        wake_in: Option<Duration>,
    },
}

/// A point between two writes of a saga. A worker that dies here has written only what comes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// The lease is taken, and nothing was done under it yet.
    Leased,
    /// The step is recorded as started; its effect does not exist.
    Applying(StepName),
    /// The step's effect exists; the step is not recorded as succeeded.
    Applied(StepName),
    /// The step is recorded as succeeded.
    Recorded(StepName),
    /// An error requires a rollback; the rollback is not recorded.
    BeginningRollback,
    /// The rollback is recorded.
    RollbackBegun,
    /// The step's undo is recorded as started; its effect may exist.
    Undoing(StepName),
    /// The step's effect was removed; the step is not recorded as undone.
    Undone(StepName),
    /// Every step is undone; the end of the operation is not recorded.
    Failing,
    /// The effects of an operation that does not end with a step exist; its end is not recorded.
    Ending,
    /// The end of the operation is recorded; the queue is not informed yet.
    Ended,
}

/// Is notified at each [`Moment`], and can interfere: an error that it returns counts as an error of the current step, and the
/// saga waits until it returns. The fault tests use it to stop, fail and kill workers at exact points.
pub trait SagaObserver: Send + Sync {
    fn observe(&self, moment: Moment) -> BoxFuture<'_, Result<()>>;
}
