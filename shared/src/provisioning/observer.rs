//! What is going on in a saga, moment by moment.

use futures::future::BoxFuture;

use crate::{error::Result, operations::StepName};

/// A moment between two writes of a saga: a worker that dies here leaves behind what was written before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// The lease is taken; nothing is done under it yet.
    Leased,
    /// The step is written as begun; its effect is not there.
    Applying(StepName),
    /// The step's effect is there; it is not written as succeeded.
    Applied(StepName),
    /// The step is written as succeeded.
    Recorded(StepName),
    /// A fault is known that turns the operation round; that is not written.
    BeginningRollback,
    /// The operation is written as turned round.
    RollbackBegun,
    /// The step's undoing is written as begun; its effect may be there.
    Undoing(StepName),
    /// The step's effect is gone; it is not written as undone.
    Undone(StepName),
    /// Everything is undone; the end is not written.
    Failing,
    /// The end is written; whoever asked for it is not told.
    Ended,
}

/// Someone who is told of each [`Moment`]. What it answers counts: an error is a fault of the step at hand, and as long
/// as it does not answer the saga stands still. That is how its fault tests stop, fail and kill it where they want.
pub trait SagaObserver: Send + Sync {
    /// Called at each moment, in order.
    fn observe(&self, moment: Moment) -> BoxFuture<'_, Result<()>>;
}
