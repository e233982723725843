//! The table `users` of a tenant's own database.

mod change;
mod erase;
mod list;
pub mod platform_actions;
mod search;

use deadpool_postgres::{GenericClient, Transaction};

pub use self::{
    change::{NewUser, UserChange, count_active, has_other_admin, insert, lock, update},
    erase::erase,
    list::{count, list},
    search::SearchPatterns,
};
use crate::{
    error::{Error, Result},
    sql::{self, Columns},
    types::UserId,
    users::User,
};

/// Defines the columns of a user, of which one is the condition `IS_ONLINE`.
macro_rules! define_columns {
    (is_online: $is_online:literal) => {
        const IS_ONLINE: &str = $is_online;

        sql::columns! {
            /// The columns of a user.
            UserColumns -> User {
                id: "id",
                email: "email",
                full_name: "full_name",
                role: "role",
                status: "status",
                must_change_password: "must_change_password",
                is_online: $is_online,
                last_seen_at: "last_seen_at",
                created_at: "created_at",
                updated_at: "updated_at",
                erased_at: "erased_at",
                revision: "revision",
            }
        }
    };
}
define_columns! {
    // A presence that is not renewed expires. A deactivated user is never online.
    is_online: "(status = 'active' AND coalesce(online_until > now(), false))"
}

const NOT_FOUND: Error = Error::NotFound { what: "user" };

pub async fn find(client: &impl GenericClient, id: UserId) -> Result<User> {
    let statement =
        client.prepare_cached(sql::text!("SELECT ", UserColumns::LIST, " FROM users WHERE id = $1")).await?;
    client.query_opt(&statement, &[&id]).await?.map_or(Err(NOT_FOUND), |row| UserColumns::read(&row))
}

/// The user, locked until the transaction ends.
pub async fn find_for_update(transaction: &Transaction<'_>, id: UserId) -> Result<User> {
    let statement = transaction
        .prepare_cached(sql::text!("SELECT ", UserColumns::LIST, " FROM users WHERE id = $1 FOR UPDATE"))
        .await?;
    transaction.query_opt(&statement, &[&id]).await?.map_or(Err(NOT_FOUND), |row| UserColumns::read(&row))
}
