//! What a step is.

use std::time::Duration;

use crate::provisioning::{fault::StepError, stores::Stores};
use crate::{
    clients::postgres::Postgres,
    operations::{
        StepName,
        store::journal::{self, Lease},
    },
    types::Placement,
};

/// How long applying a step may take.
pub(super) const APPLY_LIMIT: Duration = Duration::from_secs(15);

/// How long undoing one may take, if the invocation lasts that long. PostgreSQL has everything that was written on the whole
/// cluster brought to disk before it drops a database, which an end before that would only put off.
pub(super) const UNDO_LIMIT: Duration = Duration::from_secs(45);

/// A part of a saga with an effect outside of the platform database.
///
/// Every effect is under a name that belongs to this operation alone (the database's name, the operation's id), so that a
/// worker which is late by any time can touch nothing that another operation made.
pub(super) trait Step {
    /// Its name in the journal.
    const NAME: StepName;

    /// Whether the store itself refuses what a worker asks that is late, because the next one has ended its session or raised
    /// a fence. Where it cannot, a late worker takes its own effect back.
    const FENCED: bool;

    /// Ensures the effect. Twice is once, also when the first time stopped anywhere.
    async fn apply(&self, site: &StepContext<'_>) -> Result<(), StepError>;

    /// Removes the effect, whether `apply` finished, stopped half-way or never ran.
    async fn undo(&self, site: &StepContext<'_>) -> Result<(), StepError>;
}

/// Where a step works, and with which right.
pub(super) struct StepContext<'a> {
    /// The platform database.
    pub(super) platform: &'a Postgres,
    /// The stores of the tenants.
    pub(super) stores: &'a Stores,
    /// The right to do it.
    pub(super) lease: Lease,
    /// Name of the tenant's databases.
    pub(super) database: &'a str,
    /// On which clusters they are.
    pub(super) placement: Placement,
}

impl StepContext<'_> {
    /// Makes sure that no other worker has taken the operation.
    pub(super) async fn check(&self) -> Result<(), StepError> {
        Ok(journal::check(&self.platform.get().await?, self.lease).await?)
    }
}
