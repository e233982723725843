//! Erasing a user's personal data from the platform database. The statements are in its functions, because no service may change
//! the audit log.

use deadpool_postgres::Transaction;

use crate::{error::Result, tenant_changes::ErasedUser, types::TenantId};

/// Erases the data of a user, and records that it was done.
pub async fn erase(transaction: &Transaction<'_>, tenant_id: TenantId, user: &ErasedUser) -> Result<()> {
    let statement = transaction.prepare_cached("SELECT erase_user($1, $2, $3, $4)").await?;
    transaction.query_one(&statement, &[&tenant_id, &user.id, &user.email, &user.full_name]).await?;
    Ok(())
}

/// Erases what was written about a user since their data were erased. Does nothing about any other user.
pub async fn repeat(transaction: &Transaction<'_>, tenant_id: TenantId, user_id: &str) -> Result<()> {
    let statement = transaction
        .prepare_cached(
            "SELECT erase_user(tenant_id, user_id, NULL, NULL) FROM erased_users
             WHERE tenant_id = $1 AND user_id::text = $2",
        )
        .await?;
    transaction.query(&statement, &[&tenant_id, &user_id]).await?;
    Ok(())
}
