//! Erasing a user's personal data in the tenant's own database.

use deadpool_postgres::Transaction;

use crate::{
    error::Result,
    sql::{self, Columns},
    types::UserId,
    users::{User, store::UserColumns},
};

/// Replaces the name and the e-mail address by placeholders, also where other tables of the database mention them, and removes the password.
/// The user can sign in no more. Id, role and times stay. Increments the revision.
pub async fn erase(transaction: &Transaction<'_>, id: UserId) -> Result<User> {
    // Needs the row as it was.
    let statement = transaction.prepare_cached("SELECT erase_mentions_of($1)").await?;
    transaction.query_one(&statement, &[&id]).await?;
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE users
             SET email = 'erased-' || id::text || '@invalid', full_name = 'Erased user', status = 'deactivated',
                 password_hash = NULL, must_change_password = false, online_until = NULL,
                 session_epoch = session_epoch + 1, erased_at = now(),
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            UserColumns::LIST
        ))
        .await?;
    UserColumns::read(&transaction.query_one(&statement, &[&id]).await?)
}
