//! Changes of users. What must hold for all of them together, the seats and the last admin, is decided under one lock.

use deadpool_postgres::Transaction;
use tokio_postgres::error::SqlState;

use crate::users::store::{columns, is_online, read};
use crate::{
    error::{Error, Result},
    types::{EmailAddress, Limit, UserId},
    users::{FullName, User, UserRole, UserStatus},
};

/// Serialises changes of a tenant's users until the transaction ends.
pub async fn lock(transaction: &Transaction<'_>) -> Result<()> {
    let statement = transaction.prepare_cached("SELECT pg_advisory_xact_lock(hashtext('landlord users'))").await?;
    transaction.execute(&statement, &[]).await?;
    Ok(())
}

/// Fails with [`Error::Conflict`] unless one more user can be active. The caller holds the lock.
pub async fn require_seat(transaction: &Transaction<'_>, limit: Limit) -> Result<()> {
    let Some(limit) = limit else { return Ok(()) };
    let statement = transaction
        .prepare_cached("SELECT count(*) FROM (SELECT FROM users WHERE status = 'active' LIMIT $1) AS taken")
        .await?;
    let taken: i64 = transaction.query_one(&statement, &[&limit]).await?.try_get(0)?;
    if taken < limit {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "All of the tenant's seats are taken: max_agents is {limit}. Deactivate a user, or raise the limit"
    )))
}

/// Fails with [`Error::Conflict`] unless someone else than this user is an active admin. The caller holds the lock.
pub async fn require_admin(transaction: &Transaction<'_>, beside: UserId) -> Result<()> {
    let statement = transaction
        .prepare_cached("SELECT EXISTS (SELECT FROM users WHERE role = 'admin' AND status = 'active' AND id <> $1)")
        .await?;
    if transaction.query_one(&statement, &[&beside.0]).await?.try_get(0)? {
        return Ok(());
    }
    Err(Error::Conflict(
        "The user is the tenant's last active admin, and has to stay one; make someone else an admin first".to_owned(),
    ))
}

/// A user to be inserted, who is active.
#[derive(Debug, Clone)]
pub struct NewUser<'a> {
    /// Their id.
    pub id: UserId,
    /// Their e-mail address.
    pub email: &'a EmailAddress,
    /// Their name.
    pub full_name: &'a FullName,
    /// Their role.
    pub role: UserRole,
    /// Argon2id in the PHC string format.
    pub password_hash: &'a str,
}

/// Inserts a user. The unique index on addresses decides who of several gets one; the others get [`Error::Conflict`], and
/// their transaction is lost.
pub async fn insert(transaction: &Transaction<'_>, user: &NewUser<'_>) -> Result<User> {
    let statement = transaction
        .prepare_cached(concat!(
            "INSERT INTO users (id, email, full_name, role, password_hash)
             VALUES ($1, $2, $3, $4, $5)
             RETURNING ",
            columns!()
        ))
        .await?;
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
        [&user.id.0, &user.email.as_str(), &user.full_name.as_str(), &user.role.as_str(), &user.password_hash];
    match transaction.query_one(&statement, &values).await {
        Ok(row) => read(&row),
        Err(error) if is_taken_email(&error) => {
            Err(Error::Conflict(format!("Another user of the tenant has the e-mail address {}", user.email)))
        }
        Err(error) => Err(error.into()),
    }
}

fn is_taken_email(error: &tokio_postgres::Error) -> bool {
    error
        .as_db_error()
        .is_some_and(|error| *error.code() == SqlState::UNIQUE_VIOLATION && error.constraint() == Some("users_email"))
}

/// What a user is changed to.
#[derive(Debug, Clone)]
pub struct UserChange<'a> {
    /// Their name.
    pub full_name: &'a str,
    /// Their role.
    pub role: UserRole,
    /// Whether they may work.
    pub status: UserStatus,
    /// A new password, as Argon2id in the PHC string format.
    pub password_hash: Option<&'a str>,
    /// Whether every session of theirs ends.
    pub ends_sessions: bool,
}

impl UserChange<'_> {
    /// Whether the user then runs the workplace, and may do so.
    pub fn is_active_admin(&self) -> bool {
        self.role == UserRole::Admin && self.status == UserStatus::Active
    }

    /// Whether one who was `status` needs a seat for it.
    pub fn takes_seat(&self, status: UserStatus) -> bool {
        status == UserStatus::Deactivated && self.status == UserStatus::Active
    }
}

/// Sets what an operator may change, and raises the revision.
pub async fn update(transaction: &Transaction<'_>, id: UserId, change: &UserChange<'_>) -> Result<User> {
    let statement = transaction
        .prepare_cached(concat!(
            "UPDATE users
             SET full_name = $2, role = $3, status = $4, password_hash = coalesce($5, password_hash),
                 session_epoch = session_epoch + $6::boolean::integer,
                 updated_at = greatest(now(), updated_at), revision = revision + 1
             WHERE id = $1
             RETURNING ",
            columns!()
        ))
        .await?;
    let row = transaction
        .query_one(
            &statement,
            &[
                &id.0,
                &change.full_name,
                &change.role.as_str(),
                &change.status.as_str(),
                &change.password_hash,
                &change.ends_sessions,
            ],
        )
        .await?;
    read(&row)
}
