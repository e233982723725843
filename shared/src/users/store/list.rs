//! Lists of users.

use deadpool_postgres::GenericClient;

use crate::{
    error::{Error, Result},
    sql::Conditions,
    types::{Cursor, PageLimit, SearchText},
    users::{
        User, UserRole, UserStatus,
        store::{columns, is_online, read},
    },
};

/// Conditions on a list; all must hold.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// A substring of the e-mail address or the name.
    pub search: Option<SearchText>,
    pub role: Option<UserRole>,
    pub status: Option<UserStatus>,
    pub is_online: Option<bool>,
}

/// A page of users after `cursor`, newest first; one row more than `limit` when another page follows.
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
        // The database lowers both sides, so that both follow the rules of its locale.
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
