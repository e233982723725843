//! Changes of users.

use deadpool_postgres::Transaction;
use tokio_postgres::error::SqlState;

use crate::{
    error::{Conflict, Result},
    sql::{self, Columns},
    types::{EmailAddress, UserId},
    users::{FullName, User, UserRole, UserStatus, store::UserColumns},
};

/// Serializes changes of a tenant's users until the transaction ends.
pub async fn lock(transaction: &Transaction<'_>) -> Result<()> {
    let statement = transaction.prepare_cached("SELECT pg_advisory_xact_lock(hashtext('landlord users'))").await?;
    transaction.execute(&statement, &[]).await?;
    Ok(())
}

/// The number of active users, counted up to `limit`.
pub async fn count_active(transaction: &Transaction<'_>, limit: i64) -> Result<i64> {
    let statement = transaction
        .prepare_cached("SELECT count(*) FROM (SELECT FROM users WHERE status = 'active' LIMIT $1) AS taken")
        .await?;
    Ok(transaction.query_one(&statement, &[&limit]).await?.try_get(0)?)
}

/// Whether a user other than `id` is an active admin.
pub async fn has_other_admin(transaction: &Transaction<'_>, id: UserId) -> Result<bool> {
    let statement = transaction
        .prepare_cached("SELECT EXISTS (SELECT FROM users WHERE role = 'admin' AND status = 'active' AND id <> $1)")
        .await?;
    Ok(transaction.query_one(&statement, &[&id]).await?.try_get(0)?)
}

/// An active user to be inserted. The password is temporary.
#[derive(Debug, Clone)]
pub struct NewUser<'a> {
    pub id: UserId,
    pub email: &'a EmailAddress,
    pub full_name: &'a FullName,
    pub role: UserRole,
    /// Argon2id in the PHC string format.
    pub password_hash: &'a str,
}

/// Inserts a user. [`Conflict::EmailTaken`] when the unique index finds the e-mail address taken; the transaction is aborted then.
pub async fn insert(transaction: &Transaction<'_>, user: &NewUser<'_>) -> Result<User> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "INSERT INTO users (id, email, full_name, role, password_hash, must_change_password)
             VALUES ($1, $2, $3, $4, $5, true)
             RETURNING ",
            UserColumns::LIST
        ))
        .await?;
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&user.id, user.email, user.full_name, &user.role, &user.password_hash];
    match transaction.query_one(&statement, &values).await {
        Ok(row) => UserColumns::read(&row),
        Err(error) if is_taken_email(&error) => {
            Err(Conflict::EmailTaken { holder: "user of the tenant", email: user.email.to_string() }.into())
        }
        Err(error) => Err(error.into()),
    }
}

fn is_taken_email(error: &tokio_postgres::Error) -> bool {
    error
        .as_db_error()
        .is_some_and(|error| *error.code() == SqlState::UNIQUE_VIOLATION && error.constraint() == Some("users_email"))
}

/// The new values of a user's fields.
#[derive(Debug, Clone)]
pub struct UserChange<'a> {
    pub full_name: &'a str,
    pub role: UserRole,
    pub status: UserStatus,
    /// A new password, as Argon2id in the PHC string format. It is temporary.
    pub password_hash: Option<&'a str>,
    pub ends_sessions: bool,
}

/// Updates a user, and increments the revision.
pub async fn update(transaction: &Transaction<'_>, id: UserId, change: &UserChange<'_>) -> Result<User> {
    let statement = transaction
        .prepare_cached(sql::text!(
            "UPDATE users
             SET full_name = $2, role = $3, status = $4, password_hash = coalesce($5, password_hash),
                 must_change_password = must_change_password OR $5 IS NOT NULL,
                 session_epoch = session_epoch + $6::boolean::integer,
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            UserColumns::LIST
        ))
        .await?;
    let row = transaction
        .query_one(
            &statement,
            &[&id, &change.full_name, &change.role, &change.status, &change.password_hash, &change.ends_sessions],
        )
        .await?;
    UserColumns::read(&row)
}
