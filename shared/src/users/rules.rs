//! The rules about all users of a tenant together. They hold because every change of users takes the lock
//! [`store::lock`] first.

use deadpool_postgres::Transaction;

use crate::{
    error::{Conflict, Result},
    types::{Limit, UserId},
    users::store,
};

/// Fails with [`Conflict::SeatsExhausted`] unless one more user can be active.
pub(super) async fn require_seat(transaction: &Transaction<'_>, limit: Limit) -> Result<()> {
    let Some(limit) = limit else { return Ok(()) };
    let used = store::count_active(transaction, limit).await?;
    if used < limit { Ok(()) } else { Err(Conflict::SeatsExhausted { limit, used }.into()) }
}

/// Fails with [`Conflict::LastAdmin`] unless the tenant has an active admin other than `id`.
pub(super) async fn require_other_admin(transaction: &Transaction<'_>, id: UserId) -> Result<()> {
    if store::has_other_admin(transaction, id).await? {
        return Ok(());
    }
    Err(Conflict::LastAdmin.into())
}
