//! Provisioning: the saga that makes a tenant's databases, or leaves nothing of them.
//!
//! An operation is a row that `create-tenant` or `retry-tenant` committed; a message with its id makes a worker run it
//! ([`Provisioner::run`]). The worker takes the operation's lease, applies the steps and writes each in the journal
//! ([`crate::operations::store::journal`]). The PostgreSQL database with the first agent in it, the MongoDB database and the object
//! prefix are made at once; the last step is one transaction on the platform database, so a tenant is active with everything
//! or not at all.
//!
//! - A fault that may pass leaves the rest to the next delivery. One that would not, and the last delivery, turn the
//!   operation round, durably: from then on it is only undone, in reverse, and ends `failed` in one transaction, which frees
//!   the tenant's places. An undoing that fails is tried again without limit, and nothing is freed before it is complete.
//! - A worker may die anywhere. What the journal does not show as done is applied again, and applying twice is once.
//! - A worker may freeze anywhere and wake up after others have ended its work. Then nothing it does takes effect:
//!   - the *platform database* refuses every write that does not name the newest lease's token;
//!   - *PostgreSQL clusters*: whoever takes over ends the earlier worker's sessions first (see `session`);
//!   - *MongoDB*: everything is created in one transaction with the raising of a fence, and whoever takes over ends the
//!     earlier worker's session (see `mongodb_database::fence`);
//!   - *object storage* can refuse nothing, so what is written there is empty, belongs to the one operation, and is taken
//!     back by the late worker itself;
//!   - and no name of a database is used by two operations, so even the latest of droppers can only drop what is dead.
//!
//! Clocks decide nothing but when a lease may be taken over.
//!
//! # Why not `steno`
//! `steno` is the field's library for sagas, and its ideas are here: actions that can be repeated, undo in reverse, a durable
//! log. It runs a saga in the memory of one process that lives as long as the saga and owns it; to recover it, exactly one
//! process must resume it ("only one SEC at a time" is left to the user), and its log's writes name no fencing token. Our
//! workers are Lambda invocations: several may hold a message about one operation, each ends within a minute, may be frozen
//! and resumed, and the number of its deliveries is known only to the queue. What matters here is fencing, leases that end
//! with the invocation, turning round on the last delivery and an undo that goes on for days when it must. Those would all
//! be outside of `steno`, and the journal that is left is the part that it would replace.

mod fault;
mod observer;
mod saga;
mod session;
mod step;
mod steps;
mod stores;

use std::sync::Arc;

pub use observer::{Moment, SagaObserver};
pub use saga::{Delivery, Outcome};
pub use stores::Stores;

use crate::{clients::postgres::Postgres, config::ProvisioningConfig};

/// Works on operations.
pub struct Provisioner {
    /// The platform database.
    pub platform: Postgres,
    /// The stores of the tenants.
    pub stores: Arc<Stores>,
    /// How often, and how long.
    pub config: ProvisioningConfig,
    /// Who is told of every moment; nobody, outside of tests.
    pub observer: Option<Arc<dyn SagaObserver>>,
}
