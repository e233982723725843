//! The tenant's own record of what super-admins did to its users, for its admins to read.

use deadpool_postgres::Transaction;
use uuid::Uuid;

use crate::{
    error::Result,
    types::{Reason, UserId},
    users::PlatformAction,
};

/// Records actions on a user, in the transaction of the change.
pub async fn insert(
    transaction: &Transaction<'_>,
    user_id: UserId,
    actions: &[PlatformAction],
    super_admin: &str,
    reason: &Reason,
) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "INSERT INTO platform_actions (id, user_id, action, super_admin, reason) VALUES ($1, $2, $3, $4, $5)",
        )
        .await?;
    for action in actions {
        transaction.execute(&statement, &[&Uuid::now_v7(), &user_id, action, &super_admin, reason]).await?;
    }
    Ok(())
}
