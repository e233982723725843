//! The rules about all users of a tenant together. They hold because every change of users takes the lock
//! [`store::lock`] first.

use deadpool_postgres::Transaction;

use crate::{
    error::{Error, Result},
    types::{Limit, UserId},
    users::store,
};

/// Fails with [`Error::Conflict`] unless one more user can be active.
pub(super) async fn require_seat(transaction: &Transaction<'_>, limit: Limit) -> Result<()> {
    let Some(limit) = limit else { return Ok(()) };
    if store::count_active(transaction, limit).await? < limit {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "All seats of the tenant are taken: max_agents is {limit}. Deactivate a user, or raise the limit"
    )))
}

/// Fails with [`Error::Conflict`] unless the tenant has an active admin other than `id`.
pub(super) async fn require_other_admin(transaction: &Transaction<'_>, id: UserId) -> Result<()> {
    if store::has_other_admin(transaction, id).await? {
        return Ok(());
    }
    Err(Error::Conflict(
        "Cannot demote or deactivate the tenant's last active admin; make another user an admin first".to_owned(),
    ))
}
