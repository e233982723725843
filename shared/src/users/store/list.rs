//! Lists of users.

use deadpool_postgres::GenericClient;

use crate::users::store::{columns, is_online, read};
use crate::{
    error::{Error, Result},
    sql::Conditions,
    types::{Cursor, PageLimit, SearchText},
    users::{User, UserRole, UserStatus},
};

/// What a list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Only where this is in the e-mail address or the name.
    pub search: Option<SearchText>,
    /// Only this role.
    pub role: Option<UserRole>,
    /// Only this status.
    pub status: Option<UserStatus>,
    /// Only those that are online, or only those that are not.
    pub is_online: Option<bool>,
}

/// A page of users, newest first, after `cursor`; and one more where the list goes on.
pub async fn list(
    client: &impl GenericClient,
    filter: &UserFilter,
    cursor: Option<Cursor>,
    limit: PageLimit,
) -> Result<Vec<User>> {
    let limit = i64::try_from(limit.get() + 1).map_err(Error::internal)?;
    let pattern = filter.search.as_ref().map(SearchText::like_pattern);
    let (role, status) = (filter.role.map(UserRole::as_str), filter.status.map(UserStatus::as_str));
    let mut conditions = Conditions::after(vec![&limit]);
    if let Some(pattern) = &pattern {
        let number = conditions.number(pattern);
        // Both sides are in lower case by the database's own rules, whatever those are.
        conditions.add(format!("search_text LIKE lower(${number})"));
    }
    if let Some(role) = &role {
        let number = conditions.number(role);
        conditions.add(format!("role = ${number}"));
    }
    if let Some(status) = &status {
        let number = conditions.number(status);
        conditions.add(format!("status = ${number}"));
    }
    match filter.is_online {
        None => {}
        Some(true) => conditions.add(is_online!().to_owned()),
        Some(false) => conditions.add(concat!("NOT ", is_online!()).to_owned()),
    }
    if let Some(cursor) = &cursor {
        conditions.continue_after(cursor);
    }
    let statement = client
        .prepare_cached(&format!(
            concat!("SELECT ", columns!(), " FROM users {} ORDER BY created_at DESC, id DESC LIMIT $1"),
            conditions.clause()
        ))
        .await?;
    conditions.query(client, &statement, read).await
}
