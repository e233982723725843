//! The table `users` of a tenant's own database.

mod change;
mod list;

use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

pub use self::{
    change::{NewUser, UserChange, count_active, has_other_admin, insert, lock, update},
    list::{UserFilter, list},
};
use crate::{
    error::{Error, Result},
    types::UserId,
    users::{User, UserRole, UserStatus},
};

/// A presence that is not renewed expires. A deactivated user is never online.
macro_rules! is_online {
    () => {
        "(status = 'active' AND coalesce(online_until > now(), false))"
    };
}
use is_online;

macro_rules! columns {
    () => {
        concat!(
            "id, email, full_name, role, status, ",
            is_online!(),
            ", last_seen_at, created_at, updated_at, revision"
        )
    };
}
use columns;

const NOT_FOUND: Error = Error::NotFound { what: "user" };

pub async fn find(client: &impl GenericClient, id: UserId) -> Result<User> {
    let statement = client.prepare_cached(concat!("SELECT ", columns!(), " FROM users WHERE id = $1")).await?;
    client.query_opt(&statement, &[&id.0]).await?.map_or(Err(NOT_FOUND), |row| read(&row))
}

/// The user, locked until the transaction ends.
pub async fn find_for_update(transaction: &Transaction<'_>, id: UserId) -> Result<User> {
    let statement =
        transaction.prepare_cached(concat!("SELECT ", columns!(), " FROM users WHERE id = $1 FOR UPDATE")).await?;
    transaction.query_opt(&statement, &[&id.0]).await?.map_or(Err(NOT_FOUND), |row| read(&row))
}

fn read(row: &Row) -> Result<User> {
    let (role, status): (&str, &str) = (row.try_get(3)?, row.try_get(4)?);
    let unknown = |what: &str, text: &str| Error::internal(format!("unknown {what} `{text}` of a user"));
    Ok(User {
        id: UserId(row.try_get(0)?),
        email: row.try_get(1)?,
        full_name: row.try_get(2)?,
        role: UserRole::from_text(role).ok_or_else(|| unknown("role", role))?,
        status: UserStatus::from_text(status).ok_or_else(|| unknown("status", status))?,
        is_online: row.try_get(5)?,
        last_seen_at: row.try_get(6)?,
        created_at: row.try_get(7)?,
        updated_at: row.try_get(8)?,
        revision: row.try_get(9)?,
    })
}
